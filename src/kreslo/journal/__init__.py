"""The state database: what we read, decided, sent and were told. The only place with SQL of ours."""
