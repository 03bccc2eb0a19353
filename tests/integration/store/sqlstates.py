"""Statements by which PostgreSQL really answers with a SQLSTATE, under the class that the delivery contract gives it.

    rejected      22xxx, 23502, 23514, 54000                   the data can never be stored
    contention    40001, 40P01, 55P03                          another transaction was in the way
    dependency    08xxx, 53xxx, 57Pxx, 25006, and no SQLSTATE  the server does not serve
    unexpected    whatever else                                a fault of the product, the schema or the installation

Added to the contract, because it is never the event's fault and the event must not pay for it with its attempts:
25P03 and 25P04 (the server ended a transaction that lasted too long), 57014 (a statement that lasted too long),
58xxx (the server's disk and system), 26000 and 42P05 (a prepared statement that the connection lost, or has already:
something between us and the server mixes connections up).
"""

from typing import Final, NamedTuple

__all__ = ["PROVOKED", "Provoked"]


class Provoked(NamedTuple):
    """A SQLSTATE and how to get it.

    Attributes:
        sqlstate: What PostgreSQL answers.
        statements: Run one by one on a connection in autocommit; the last one fails.
    """

    sqlstate: str
    statements: tuple[str, ...]


def _one(sqlstate: str, *statements: str) -> Provoked:
    return Provoked(sqlstate, statements)


_TABLE: Final = "CREATE TEMP TABLE t (a int, b varchar(1), c bit(2))"
_SORT: Final = "SELECT count(*) FROM (SELECT n FROM generate_series(1, 100000) AS n ORDER BY -n OFFSET 1) AS sorted"
_LOCKS: Final = "SELECT count(pg_advisory_xact_lock(n)) FROM generate_series(1, 1000000) AS n"
# 200 digests do not compress below the 2,704 bytes that an entry of a B-tree may have.
_LONG: Final = "SELECT string_agg(md5(n::text), '') AS a FROM generate_series(1, 200) AS n"

PROVOKED: Final[dict[str, tuple[Provoked, ...]]] = {
    "rejected": (
        _one("22001", _TABLE, "INSERT INTO t (b) VALUES ('ab')"),
        _one("22003", "SELECT 2147483647 + 1"),
        _one("22004", "SELECT array_fill(1, NULL)"),
        _one("22007", "SELECT 'noon'::timestamptz"),
        _one("22008", "SELECT '2026-02-30'::date"),
        _one("22009", "SELECT '2026-01-15 12:00:00+99'::timestamptz"),
        _one("22011", "SELECT substring('abc', 1, -1)"),
        _one("22012", "SELECT 1 / 0"),
        _one("22014", "SELECT ntile(0) OVER ()"),
        _one("2201B", "SELECT 'a' ~ '('"),
        _one("2201E", "SELECT ln(0.0)"),
        _one("2201F", "SELECT power(0.0, -1)"),
        _one("2201W", "SELECT 1 LIMIT -1"),
        _one("22021", r"SELECT convert_from('\xff', 'UTF8')"),
        _one("22023", "SELECT generate_series(1, 2, 0)"),
        _one("22025", r"SELECT 'ab' LIKE 'a\'"),
        _one("22026", _TABLE, "INSERT INTO t (c) VALUES (B'101')"),
        _one("22033", """SELECT jsonb_path_query('[]', 'strict $[5]')"""),
        _one("2203A", """SELECT jsonb_path_query('{}', 'strict $.a')"""),
        _one("22P02", "SELECT 'seven'::int"),
        _one("22P02", """SELECT '{"a": }'::jsonb"""),
        _one("22P05", r"""SELECT '"\u0000"'::jsonb"""),
        _one("2200H", "CREATE TEMP SEQUENCE s START 2 MAXVALUE 2", "SELECT nextval('s')", "SELECT nextval('s')"),
        _one("2202E", "SELECT '[1:0]={}'::int[]"),
        _one("23502", "CREATE TEMP TABLE u (a int NOT NULL)", "INSERT INTO u VALUES (NULL)"),
        _one("23514", "CREATE TEMP TABLE u (a int CHECK (a > 0))", "INSERT INTO u VALUES (0)"),
        _one("54000", "CREATE TEMP TABLE u (a text UNIQUE)", f"INSERT INTO u {_LONG}"),
        _one("54000", "SELECT repeat('x', 2000000000)"),
        _one("54000", "SELECT chr(0)"),
    ),
    "dependency": (
        _one("08001", "CREATE EXTENSION IF NOT EXISTS dblink", "SELECT dblink_connect('host=127.0.0.1 port=1')"),
        _one("25006", "SET default_transaction_read_only = on", "CREATE TABLE t (a int)"),
        _one("25P04", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '25P04'; END $$"),  # since PostgreSQL 17
        _one("26000", "EXECUTE nothing_of_that_name"),
        _one("42P05", "PREPARE p AS SELECT 1", "PREPARE p AS SELECT 1"),
        _one("53100", "COPY (SELECT 1) TO '/dev/full'"),
        _one("53200", _LOCKS),
        _one("53400", "SET work_mem = '64kB'", "SET temp_file_limit = '64kB'", _SORT),
        _one("57014", "SET statement_timeout = 20", "SELECT pg_sleep(60)"),
        _one("57P01", "SELECT pg_terminate_backend(pg_backend_pid())"),
        _one("58030", "SELECT pg_read_binary_file('/proc/self/mem', 0, 10)"),
        _one("58P01", "SELECT pg_read_file('/nothing-of-that-name')"),
    ),
    "unexpected": (
        _one("0A000", "SELECT 1 UNION SELECT 2 FOR UPDATE"),
        _one("21000", "SELECT (SELECT n FROM generate_series(1, 2) AS n)"),
        _one("23503", "CREATE TEMP TABLE u (a int PRIMARY KEY, b int REFERENCES u)", "INSERT INTO u VALUES (1, 2)"),
        _one("23505", "CREATE TEMP TABLE u (a int UNIQUE)", "INSERT INTO u VALUES (1), (1)"),
        _one(
            "23P01",
            "CREATE TEMP TABLE u (a int4range, EXCLUDE USING gist (a WITH &&))",
            "INSERT INTO u VALUES ('[1,3]'), ('[2,4]')",
        ),
        _one("25001", "BEGIN", "VACUUM"),
        _one("25P01", "SAVEPOINT a"),
        _one("2BP01", "CREATE TEMP TABLE u (a int)", "CREATE TEMP VIEW v AS SELECT a FROM u", "DROP TABLE u"),
        _one("34000", "FETCH nothing_of_that_name"),
        _one("39P01", 'SELECT "RI_FKey_check_ins"()'),
        _one("3D000", "ALTER DATABASE nothing_of_that_name RENAME TO other"),
        _one("3F000", "CREATE TABLE nothing_of_that_name.t (a int)"),
        _one(
            "44000",
            "CREATE TEMP TABLE u (a int)",
            "CREATE TEMP VIEW v AS SELECT a FROM u WHERE a > 0 WITH CHECK OPTION",
            "INSERT INTO v VALUES (0)",
        ),
        _one("42501", "SET ROLE pipeline_reader", "SELECT password_hash FROM users"),
        _one("42601", "SELEC 1"),
        _one("42703", "SELECT nothing_of_that_name FROM signals"),
        _one("42804", "SELECT CASE WHEN 1 THEN 2 END"),
        _one("42883", "SELECT nothing_of_that_name()"),
        _one("42P01", "SELECT * FROM nothing_of_that_name"),
        _one("54001", "SET max_stack_depth = '100kB'", "SELECT repeat('[', 100000)::jsonb"),
        _one("55000", "CREATE TEMP SEQUENCE s", "SELECT currval('s')"),
        _one("P0001", "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$"),
        _one("P0002", "DO $$ DECLARE a int; BEGIN SELECT 1 INTO STRICT a WHERE false; END $$"),
        _one("XX000", "DO $$ BEGIN RAISE internal_error; END $$"),
        _one("ZZ999", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'ZZ999'; END $$"),  # no such code exists
    ),
}
