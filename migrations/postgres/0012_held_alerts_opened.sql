-- Alerts that wait for their breaker are open alerts that are not announced. No hub ever kept its alerts in the other table
-- of a PostgreSQL server: there is nothing to move.
DROP TABLE held_alerts;
