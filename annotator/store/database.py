"""Tables of the review database, and how one is opened: SQLite in WAL mode, or any other database by URL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.engine import Engine

from yaff.errors import FormatError, StorageError

SCHEMA_VERSION = 1

metadata = sa.MetaData()

about = sa.Table(
    "about",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

item = sa.Table(
    "item",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(200), nullable=False, unique=True),
    sa.Column("object_name", sa.String(100), nullable=False),
    sa.Column("row", sa.Integer),
    sa.Column("grasp_type", sa.Integer, nullable=False),
    sa.Column("type_name", sa.String(100), nullable=False),
    sa.Column("thumb_abducted", sa.Boolean, nullable=False),
    sa.Column("usable", sa.Integer, nullable=False),
    sa.Column("shortfall", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("judgements", sa.Integer, nullable=False, default=0),
    sa.Column("wanted", sa.Integer, nullable=False, default=1),
    sa.Column("annotator", sa.String(100)),
    sa.Column("lease_token", sa.String(64)),
    sa.Column("leased_by", sa.String(100)),
    sa.Column("leased_at", sa.Float),
    sa.Column("leased_until", sa.Float),
    sa.Column("epsilon", sa.Float),
    sa.Column("penetration", sa.Float),
    sa.Column("shake_translation", sa.Float),
    sa.Column("shake_rotation", sa.Float),
    sa.Column("grasp", sa.Text, nullable=False),
    sa.Column("measures", sa.Text),
    sa.Column("origin", sa.String(64)),
    sa.Index("item_by_queue", "state", "priority", "number"),
    sa.Index("item_by_pair", "object_name", "grasp_type"),
    # in the order of the queue, with what is asked most: pages and counts need not read the rows, which are wide
    sa.Index("item_by_priority", "priority", "number", "state", "reason"),
)

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uid", sa.String(64), nullable=False, unique=True),
    sa.Column("item_key", sa.String(200), sa.ForeignKey("item.key"), nullable=False, index=True),
    sa.Column("annotator", sa.String(100), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("overruled", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("measures", sa.Text),
    sa.Column("seconds", sa.Float),
    sa.Column("versions", sa.Text, nullable=False),
)

verification = sa.Table(
    "verification",
    metadata,
    sa.Column("object_name", sa.String(100), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("conforms", sa.Boolean, nullable=False),
    sa.Column("settled", sa.Text, nullable=False),
    sa.Column("measures", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
)

# The log is append-only: the database itself refuses to change or to forget a decision.
for verb in ("UPDATE", "DELETE"):
    event.listen(
        decision,
        "after_create",
        sa.DDL(
            f"CREATE TRIGGER decision_no_{verb.lower()} BEFORE {verb} ON decision "
            "BEGIN SELECT RAISE(ABORT, 'the log of decisions is append-only'); END"
        ).execute_if(dialect="sqlite"),
    )


def open_database(url: str) -> Engine:
    """An engine on the review database, made if it is not there.

    Args:
        url: SQLAlchemy's, for example ``sqlite:////data/library.review.sqlite``.

    Raises:
        StorageError: it cannot be opened.
        FormatError: it is of another schema version, or no review database.
    """
    engine = sa.create_engine(url, connect_args={"timeout": 30.0} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    try:
        with engine.begin() as connection:
            there = sa.inspect(connection).get_table_names()
            if there and "about" not in there:
                raise FormatError("not a review database", where=url, remedy="give another file")
            if not there:
                metadata.create_all(connection)
                connection.execute(about.insert(), [{"key": "schema_version", "value": str(SCHEMA_VERSION)}])
            for index in item.indexes:  # databases of earlier versions lack some
                index.create(connection, checkfirst=True)
            version = connection.scalar(sa.select(about.c.value).where(about.c.key == "schema_version"))
    except sqlalchemy_errors.DatabaseError as error:
        engine.dispose()
        if "not a database" in str(error):
            raise FormatError("not a review database", where=url, remedy="give another file") from error
        raise StorageError(f"the review database cannot be opened: {error.orig}", where=url) from error
    if version != str(SCHEMA_VERSION):
        engine.dispose()
        raise FormatError(
            f"review database of schema version {version}, this program reads {SCHEMA_VERSION}",
            where=url,
            remedy="open it with the version of yaff that made it, and `yaff review export` there",
        )
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    """WAL, full syncs, and transactions that take the write lock when they begin."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # sqlite3 would begin transactions by itself, and late: two readers that become writers then dead-lock
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql("BEGIN" if options.get("read_only") else "BEGIN IMMEDIATE")
