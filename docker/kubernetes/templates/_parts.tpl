{{- /* Labels of every object. */ -}}
{{- define "labels" -}}
app.kubernetes.io/part-of: nullsplat
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* What the pods of the node's own images have in common. */ -}}
{{- define "pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - {name: {{ . }}}
  {{- end }}
{{- end }}
{{- end }}

{{- define "container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* Settings of API and workers. */ -}}
{{- define "engine.environment" -}}
- {name: NULLSPLAT_ARCHIVE_URL, value: "http://orthanc:8042/dicom-web"}
- {name: NULLSPLAT_ARCHIVE_USERNAME, value: engine}
- {name: NULLSPLAT_ARCHIVE_PASSWORD_FILE, value: /run/secrets/nullsplat/engine_password}
- {name: NULLSPLAT_SECRET_FILE, value: /run/secrets/nullsplat/shared_secret}
- {name: NULLSPLAT_DATABASE_URL_FILE, value: /run/secrets/nullsplat/database_url}
# Below the volume, which Kubernetes opens to a group: the spool must be closed to all but its user.
- {name: NULLSPLAT_SPOOL, value: /var/lib/nullsplat/spool}
- {name: NULLSPLAT_LOG_FORMAT, value: json}
{{- with .Values.audit }}
{{- if .host }}
- {name: NULLSPLAT_AUDIT_SYSLOG, value: "{{ .host }}:{{ .port }}"}
{{- if .tlsSecret }}
- {name: NULLSPLAT_AUDIT_CA_FILE, value: /etc/nullsplat/audit/ca.crt}
- {name: NULLSPLAT_AUDIT_CERTIFICATE_FILE, value: /etc/nullsplat/audit/tls.crt}
- {name: NULLSPLAT_AUDIT_KEY_FILE, value: /etc/nullsplat/audit/tls.key}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.engine.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "engine.mounts" -}}
- {name: spool, mountPath: /var/lib/nullsplat}
- {name: cache, mountPath: /var/cache/nullsplat}
- {name: secrets, mountPath: /run/secrets/nullsplat, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .Values.audit.tlsSecret }}
- {name: audit, mountPath: /etc/nullsplat/audit, readOnly: true}
{{- end }}
{{- end }}

{{- define "engine.volumes" -}}
- name: secrets
  secret:
    secretName: {{ .Values.secret }}
    defaultMode: 0440
    items:
      - {key: engine_password, path: engine_password}
      - {key: shared_secret, path: shared_secret}
      - {key: database_url, path: database_url}
- name: cache
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- with .Values.audit.tlsSecret }}
- name: audit
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- /* The specification of a claim for so much room. */ -}}
{{- define "claim" -}}
accessModes: [{{ .mode | default "ReadWriteOnce" }}]
{{- with .class }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ .room }}}}
{{- end }}

{{- /* Blocks of addresses as peers of a network policy. */ -}}
{{- define "blocks" -}}
{{- range . }}
- ipBlock: {cidr: {{ . }}}
{{- end }}
{{- end }}
