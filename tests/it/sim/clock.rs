//! A wall clock that jumps, there and back.

use infrawatch::telemetry::Counter;
use serde_json::json;

use super::{disable, enable, offsets, recover};
use crate::hub::{Inside, until};

#[tokio::test]
async fn no_session_is_lost_and_offsets_stay_in_order_whatever_the_clock_says() {
    for offset_s in [240, -240] {
        let hub = Inside::with(|options| {
            options.rate_limits = true;
            options.settings.topic.flush_interval_ms = 0;
            options.settings.connection.ping_interval_ms = 100;
            options.settings.connection.session_ttl_ms = 60_000;
        });
        let (mut stays, mut away) = (hub.client("stays").await, hub.client("away").await);
        let at = stays.subscribe("bench:a").await;
        away.subscribe("bench:a").await;
        stays.publish("bench:a", json!(1)).await;
        assert_eq!(offsets(&mut away, "bench:a", 1).await, [1]);
        away.leave().await;
        let before_ms = hub.state.services.clock.unix_ms();
        enable(&hub, "clock_jump", json!({ "offset_s": offset_s })).await;
        let moved_ms = hub.state.services.clock.unix_ms() as i64 - before_ms as i64;
        assert!((moved_ms - offset_s * 1_000).abs() < 60_000, "{moved_ms}");
        let pinged = Counter::PingsSent.total();
        for n in 2..=20 {
            assert_eq!(stays.publish("bench:a", json!(n)).await["epoch"], at["epoch"]);
        }
        until("pings go on", async || {
            stays.request("ping", json!({}), "pong").await;
            (Counter::PingsSent.total() > pinged + 3).then_some(())
        })
        .await;
        until("sessions that ran out are forgotten, the others written", async || {
            // Who stays answers its pings.
            stays.request("ping", json!({}), "pong").await;
            let session = hub.state.store.session("away").await.unwrap()?;
            session.disconnected_at_ms
        })
        .await;
        let mut away = hub.client("away").await;
        assert_eq!(away.connected["payload"]["resumed"], true, "{}", away.connected);
        let told = recover(&mut away, "bench:a", &at["epoch"], 1).await;
        assert_eq!(told["recovered"], true, "{told}");
        assert_eq!(offsets(&mut away, "bench:a", 19).await, (2..=20).collect::<Vec<_>>());
        disable(&hub, "clock_jump").await;
        stays.publish("bench:a", json!(21)).await;
        assert_eq!(offsets(&mut stays, "bench:a", 21).await, (1..=21).collect::<Vec<_>>());
    }
}
