BEGIN TRANSACTION;
CREATE TABLE application_versions (
    version_id TEXT NOT NULL PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL);
CREATE TABLE dbos_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_migrations" VALUES(125);
CREATE TABLE notifications (
    message_uuid TEXT NOT NULL DEFAULT (hex(randomblob(16))) PRIMARY KEY,
    destination_uuid TEXT NOT NULL,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000), "serialization" TEXT DEFAULT NULL, "consumed" BOOLEAN NOT NULL DEFAULT FALSE, consumed_by_function_id INTEGER,
    FOREIGN KEY (destination_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE nullsplat_controls (
	name VARCHAR(32) NOT NULL, 
	value VARCHAR(255) NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE nullsplat_devices (
	device VARCHAR(100) NOT NULL, 
	executor_id VARCHAR(100) NOT NULL, 
	PRIMARY KEY (device)
);
CREATE TABLE nullsplat_jobs (
	"key" VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	request JSON NOT NULL, 
	stages JSON NOT NULL, 
	progress FLOAT NOT NULL, 
	eta_seconds FLOAT, 
	storing BOOLEAN NOT NULL, 
	failure JSON, 
	result JSON, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "nullsplat_jobs" VALUES('784f163c829ddfad136c0ba18466a7aa','succeeded','{"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.11", "fingerprint": "1111111111111111111111111111111111111111111111111111111111111111", "attempt": 1, "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1}, "priority": "normal"}','[{"name": "fetch", "state": "done", "progress": 1.0, "seconds": 2.0}, {"name": "stage1", "state": "done", "progress": 1.0, "seconds": 3.0}, {"name": "stage2", "state": "done", "progress": 1.0, "seconds": 4.0}, {"name": "consistency", "state": "done", "progress": 1.0, "seconds": 5.0}, {"name": "derive", "state": "done", "progress": 1.0, "seconds": 6.0}, {"name": "store", "state": "done", "progress": 1.0, "seconds": 7.0}]',1.0,0.0,0,NULL,'{"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.99", "sop_instance_uids": ["2.25.991"], "report": {"config_hash": "c"}}','2026-11-30 03:00:51.612045','2026-11-30 03:00:51.750905');
INSERT INTO "nullsplat_jobs" VALUES('59be6ba90591f5b22b30ba7377d65618','failed','{"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.21", "fingerprint": "2222222222222222222222222222222222222222222222222222222222222222", "attempt": 1, "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1}, "priority": "stat"}','[{"name": "fetch", "state": "waiting", "progress": 0.0}, {"name": "stage1", "state": "waiting", "progress": 0.0}, {"name": "stage2", "state": "waiting", "progress": 0.0}, {"name": "consistency", "state": "waiting", "progress": 0.0}, {"name": "derive", "state": "waiting", "progress": 0.0}, {"name": "store", "state": "waiting", "progress": 0.0}]',0.0,NULL,0,'{"code": "storage", "message": "full", "retryable": true}',NULL,'2026-11-30 03:00:51.666051','2026-11-30 03:00:51.758819');
INSERT INTO "nullsplat_jobs" VALUES('2807033b3225e8553d556bce1604fdce','cancelled','{"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.31", "fingerprint": "3333333333333333333333333333333333333333333333333333333333333333", "attempt": 1, "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1}, "priority": "normal"}','[{"name": "fetch", "state": "waiting", "progress": 0.0}, {"name": "stage1", "state": "waiting", "progress": 0.0}, {"name": "stage2", "state": "waiting", "progress": 0.0}, {"name": "consistency", "state": "waiting", "progress": 0.0}, {"name": "derive", "state": "waiting", "progress": 0.0}, {"name": "store", "state": "waiting", "progress": 0.0}]',0.0,NULL,0,NULL,NULL,'2026-11-30 03:00:51.676377','2026-11-30 03:00:51.761369');
INSERT INTO "nullsplat_jobs" VALUES('4d3242b0a6363cbbfc8f821b04849a88','running','{"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.41", "fingerprint": "4444444444444444444444444444444444444444444444444444444444444444", "attempt": 1, "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1}, "priority": "normal"}','[{"name": "fetch", "state": "waiting", "progress": 0.0}, {"name": "stage1", "state": "waiting", "progress": 0.0}, {"name": "stage2", "state": "waiting", "progress": 0.0}, {"name": "consistency", "state": "waiting", "progress": 0.0}, {"name": "derive", "state": "waiting", "progress": 0.0}, {"name": "store", "state": "waiting", "progress": 0.0}]',0.0,NULL,0,NULL,NULL,'2026-11-30 03:00:51.681178','2026-11-30 03:00:51.738921');
INSERT INTO "nullsplat_jobs" VALUES('29a82b60757a51ab53c8637b46890149','queued','{"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.51", "fingerprint": "5555555555555555555555555555555555555555555555555555555555555555", "attempt": 1, "parameters": {"preset": "preview", "scale": [2, 1, 1], "seed": 0, "samples": 1}, "priority": "normal"}','[{"name": "fetch", "state": "waiting", "progress": 0.0}, {"name": "stage1", "state": "waiting", "progress": 0.0}, {"name": "stage2", "state": "waiting", "progress": 0.0}, {"name": "consistency", "state": "waiting", "progress": 0.0}, {"name": "derive", "state": "waiting", "progress": 0.0}, {"name": "store", "state": "waiting", "progress": 0.0}]',0.0,NULL,0,NULL,NULL,'2026-11-30 03:00:51.708596','2026-11-30 03:00:51.708596');
CREATE TABLE nullsplat_worker_facts (
	executor_id VARCHAR(100) NOT NULL, 
	facts JSON NOT NULL, 
	noted FLOAT NOT NULL, 
	PRIMARY KEY (executor_id)
);
CREATE TABLE nullsplat_workers (
	executor_id VARCHAR(100) NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	boot_id VARCHAR(64) NOT NULL, 
	pid INTEGER NOT NULL, 
	process_start VARCHAR(32) NOT NULL, 
	seen FLOAT NOT NULL, 
	PRIMARY KEY (executor_id)
);
CREATE TABLE "operation_outputs" (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);
CREATE TABLE queues (
    queue_id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))),
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec REAL,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec REAL NOT NULL DEFAULT 1.0,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL, "partition_concurrency" INTEGER DEFAULT NULL, "partition_worker_concurrency" INTEGER DEFAULT NULL, "partition_rate_limit_max" INTEGER DEFAULT NULL, "partition_rate_limit_period_sec" REAL DEFAULT NULL);
CREATE TABLE streams (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "offset" INTEGER NOT NULL, function_id INTEGER NOT NULL DEFAULT 0, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key, "offset"),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events_history (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, function_id, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_input (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    inputs TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_input" VALUES('784f163c829ddfad136c0ba18466a7aa','{"namedArgs":{},"positionalArgs":["784f163c829ddfad136c0ba18466a7aa"]}',1796007651000);
INSERT INTO "workflow_input" VALUES('59be6ba90591f5b22b30ba7377d65618','{"namedArgs":{},"positionalArgs":["59be6ba90591f5b22b30ba7377d65618"]}',1796007651000);
INSERT INTO "workflow_input" VALUES('2807033b3225e8553d556bce1604fdce','{"namedArgs":{},"positionalArgs":["2807033b3225e8553d556bce1604fdce"]}',1796007651000);
INSERT INTO "workflow_input" VALUES('4d3242b0a6363cbbfc8f821b04849a88','{"namedArgs":{},"positionalArgs":["4d3242b0a6363cbbfc8f821b04849a88"]}',1796007651000);
INSERT INTO "workflow_input" VALUES('29a82b60757a51ab53c8637b46890149','{"namedArgs":{},"positionalArgs":["29a82b60757a51ab53c8637b46890149"]}',1796007651000);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
CREATE TABLE workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    application_version TEXT,
    application_id TEXT,
    class_name TEXT DEFAULT NULL,
    config_name TEXT DEFAULT NULL,
    recovery_attempts INTEGER DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms INTEGER,
    workflow_deadline_epoch_ms INTEGER,
    inputs TEXT,
    started_at_epoch_ms INTEGER,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0
, queue_partition_key TEXT, forked_from TEXT, "owner_xid" TEXT DEFAULT NULL, "parent_workflow_id" TEXT DEFAULT NULL, "serialization" TEXT DEFAULT NULL, "delay_until_epoch_ms" BIGINT DEFAULT NULL, "was_forked_from" BOOLEAN NOT NULL DEFAULT FALSE, "rate_limited" BOOLEAN NOT NULL DEFAULT FALSE, "completed_at" BIGINT, "attributes" TEXT, "schedule_name" TEXT, "debounce_deadline_epoch_ms" BIGINT DEFAULT NULL, "is_debounced" BOOLEAN NOT NULL DEFAULT FALSE, "application_name" TEXT DEFAULT NULL, "creator_xid" TEXT DEFAULT NULL);
INSERT INTO "workflow_status" VALUES('784f163c829ddfad136c0ba18466a7aa','ENQUEUED','super_resolve',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1796007651000,1796007651000,'1',NULL,NULL,NULL,0,'jobs',NULL,NULL,NULL,NULL,NULL,10,NULL,NULL,NULL,NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'nullsplat','2dcdb95a-f62f-4e3e-b040-20ecc8a57d7b');
INSERT INTO "workflow_status" VALUES('59be6ba90591f5b22b30ba7377d65618','ENQUEUED','super_resolve',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1796007651000,1796007651000,'1',NULL,NULL,NULL,0,'jobs',NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'nullsplat','1a298da3-f76b-4468-9d71-b22ff5082e37');
INSERT INTO "workflow_status" VALUES('2807033b3225e8553d556bce1604fdce','ENQUEUED','super_resolve',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1796007651000,1796007651000,'1',NULL,NULL,NULL,0,'jobs',NULL,NULL,NULL,NULL,NULL,10,NULL,NULL,NULL,NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'nullsplat','6144772b-1bd7-4b04-8bf2-c2a5fd19bc3c');
INSERT INTO "workflow_status" VALUES('4d3242b0a6363cbbfc8f821b04849a88','ENQUEUED','super_resolve',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1796007651000,1796007651000,'1',NULL,NULL,NULL,0,'jobs',NULL,NULL,NULL,NULL,NULL,10,NULL,NULL,NULL,NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'nullsplat','15c5f807-fb5b-4463-908b-3a3a3d1ee5e8');
INSERT INTO "workflow_status" VALUES('29a82b60757a51ab53c8637b46890149','ENQUEUED','super_resolve',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1796007651000,1796007651000,'1',NULL,NULL,NULL,0,'jobs',NULL,NULL,NULL,NULL,NULL,10,NULL,NULL,NULL,NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'nullsplat','41caf6c5-ae8c-4df7-861e-8474f3d2f174');
CREATE INDEX workflow_status_created_at_index ON workflow_status (created_at);
CREATE INDEX idx_workflow_topic ON notifications (destination_uuid, topic);
CREATE INDEX "idx_workflow_status_delayed" ON "workflow_status" ("delay_until_epoch_ms") WHERE status = 'DELAYED';
CREATE INDEX "idx_workflow_status_forked_from" ON "workflow_status" ("forked_from") WHERE "forked_from" IS NOT NULL;
CREATE INDEX "idx_workflow_status_parent_workflow_id" ON "workflow_status" ("parent_workflow_id") WHERE "parent_workflow_id" IS NOT NULL;
CREATE UNIQUE INDEX "uq_workflow_status_dedup_id" ON "workflow_status" ("queue_name", "deduplication_id") WHERE "deduplication_id" IS NOT NULL;
CREATE INDEX "idx_workflow_status_pending" ON "workflow_status" ("created_at") WHERE "status" = 'PENDING';
CREATE INDEX "idx_workflow_status_failed" ON "workflow_status" ("status", "created_at") WHERE "status" IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX "idx_workflow_status_rate_limited" ON "workflow_status" ("queue_name", "started_at_epoch_ms") WHERE "rate_limited" = TRUE;
CREATE INDEX "idx_workflow_status_completed_at" ON "workflow_status" ("completed_at") WHERE "completed_at" IS NOT NULL;
CREATE INDEX "idx_workflow_status_started_at" ON "workflow_status" ("started_at_epoch_ms") WHERE "started_at_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_workflow_status_schedule_name" ON "workflow_status" ("schedule_name") WHERE "schedule_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_owner_version"
    ON application_versions ("application_name", "version_name")
    WHERE "application_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_unclaimed_version"
    ON application_versions ("version_name")
    WHERE "application_name" IS NULL;
CREATE INDEX idx_workflow_input_retention
    ON workflow_input (retention_timestamp);
CREATE INDEX idx_workflow_output_retention
    ON workflow_output (retention_timestamp);
CREATE INDEX idx_operation_outputs_retention
    ON operation_outputs (retention_timestamp);
CREATE INDEX "idx_workflow_status_in_flight_v2" ON "workflow_status" ("queue_name", "status", "priority", "created_at", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING');
CREATE INDEX "idx_workflow_status_partition_dequeue_v3" ON "workflow_status" ("queue_name", "status", "queue_partition_key", "priority", "created_at", "workflow_uuid", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING') AND "queue_partition_key" IS NOT NULL;
CREATE INDEX "idx_operation_outputs_completed_at_function_name_v2" ON "operation_outputs" ("completed_at_epoch_ms", "function_name", "application_name");
CREATE INDEX "idx_workflow_status_deadline" ON "workflow_status" ("workflow_deadline_epoch_ms") WHERE "status" IN ('ENQUEUED', 'PENDING', 'DELAYED') AND "workflow_deadline_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_application_versions_timestamp" ON "application_versions" ("version_timestamp" DESC);
CREATE INDEX "idx_application_versions_owner_timestamp" ON "application_versions" ("application_name", "version_timestamp" DESC);
CREATE INDEX ix_nullsplat_jobs_state ON nullsplat_jobs (state);
COMMIT;
