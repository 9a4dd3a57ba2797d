"""What tells one database from another, whatever it is called from where; a backup that is restored is the same."""

import uuid

import sqlalchemy as sa

from nullsplat.service.database.tables import controls, transaction

IDENTITY = "identity"


def identity(engine: sa.Engine) -> str:
    """A name that no other database has, made when it is first asked for.

    Raises:
        StorageError: the database does not answer.
    """
    query = sa.select(controls.c.value).where(controls.c.name == IDENTITY)
    with transaction(engine) as connection:
        known = connection.execute(query).scalar_one_or_none()
    if known is None:
        try:
            with transaction(engine) as connection:
                connection.execute(sa.insert(controls).values(name=IDENTITY, value=uuid.uuid4().hex))
        except sa.exc.IntegrityError:  # another process has just made it
            pass
        with transaction(engine) as connection:
            known = connection.execute(query).scalar_one()
    return str(known)
