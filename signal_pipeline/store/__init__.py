"""PostgreSQL access; the statements live in sql/queries."""
