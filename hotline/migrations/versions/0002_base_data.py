"""What every installation needs before anybody imported anything: a calendar, a fallback department, promises, counters.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORKDAY = [["09:00", "12:00"], ["13:30", "17:30"]]
WEEK = [WORKDAY] * 5 + [[], []]
# code, kind, urgency, amount, unit
PROMISES = [
    ("usual", None, None, 5, "working_days"),
    ("consultation", "consultation", None, 1, "working_days"),
    ("urgent", None, "urgent", 24, "hours"),
    ("emergency", None, "emergency", 2, "hours"),
]


def upgrade() -> None:
    connection = op.get_bind()
    tables = sa.MetaData()
    tables.reflect(connection, only=["work_calendar", "department", "promise_rule", "serial", "reference_version"])
    as_json = sa.JSON() if connection.dialect.name == "sqlite" else sa.dialects.postgresql.JSONB()
    for name, columns in {"work_calendar": ["intervals"], "department": ["duties", "areas"]}.items():
        for column in columns:
            tables.tables[name].c[column].type = as_json
    tables.tables["department"].c.id.type = sa.Uuid()

    def insert(table: str, **values: object) -> None:
        connection.execute(tables.tables[table].insert().values(**values))

    insert("serial", name="ticket", value=0)
    insert("reference_version", id=1, value=1)
    insert("work_calendar", code="default", timezone="Asia/Shanghai", intervals=WEEK)
    insert(
        "department",
        id=uuid7(),
        code="hotline",
        name="Citizen hotline",
        name_zh="市民热线中心",
        parent_code=None,
        duties=[],
        areas=[],
        calendar_code="default",
        email="",
        is_fallback=True,
    )
    for code, kind, urgency, amount, unit in PROMISES:
        insert("promise_rule", code=code, kind=kind, category_code=None, urgency=urgency, amount=amount, unit=unit)


def downgrade() -> None:
    for name in ("promise_rule", "department", "calendar_day", "work_calendar", "serial", "reference_version"):
        op.execute(sa.text(f"delete from {name}"))
