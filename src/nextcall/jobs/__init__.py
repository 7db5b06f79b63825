"""Work that takes minutes: kept in a database, done one at a time in processes of their own."""
