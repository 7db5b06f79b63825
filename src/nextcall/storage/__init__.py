"""What is kept in a database: one engine, transactions, migrations, commits of many at once."""
