-- Alerts that waited for their breaker become open alerts whose opening is not announced yet: the start announces them.
INSERT INTO alerts (id, version, fingerprint, state, severity, score, service, title, message, labels, started_at_ms,
                    fired_at_ms, detail)
SELECT json_extract(alert, '$.id'), 1, 'held ' || json_extract(alert, '$.id'), 'firing',
       CASE json_extract(alert, '$.severity') WHEN 'critical' THEN 3 WHEN 'error' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END,
       0, json_extract(alert, '$.service'), json_extract(alert, '$.title'), json_extract(alert, '$.message'),
       coalesce(json_extract(alert, '$.labels'), '{}'), held_at_ms, held_at_ms,
       json_object('reason', 'posted', 'count', 1, 'last_breach_at_ms', held_at_ms)
FROM (SELECT json_extract(CAST(message AS TEXT), '$.alert') AS alert, held_at_ms, seq FROM held_alerts ORDER BY seq);

INSERT INTO alert_state_history (alert_id, version, at_ms, to_state, actor, reason, announced)
SELECT json_extract(CAST(message AS TEXT), '$.alert.id'), 1, held_at_ms, 'firing',
       coalesce(json_extract(CAST(message AS TEXT), '$.transition.actor'), 'infrawatch'),
       coalesce(json_extract(CAST(message AS TEXT), '$.transition.reason'), 'posted'), 0
FROM held_alerts;

DROP TABLE held_alerts;
