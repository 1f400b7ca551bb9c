"""The broker's database: PGMQ's tables and functions, installed once, as the login that owns them."""

import psycopg
from pgmq.install import install_pgmq_from_sql


def install(url: str) -> bool:
    """Install PGMQ from the SQL its package carries, unless it is there; say whether it was installed now."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('prime.broker'))")
        row = connection.execute("select to_regnamespace('pgmq')").fetchone()
        if row is not None and row[0] is not None:
            return False
        install_pgmq_from_sql(conn=connection)
        return True
