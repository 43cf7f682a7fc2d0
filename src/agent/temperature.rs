//! Temperatures of the machine's sensors.

use sysinfo::Components;

use super::columns::Recorder;

const SENSORS_MAX: usize = 64;

/// How drivers call the sensor of a processor, best first.
const CPU_SENSORS: [&str; 6] = ["package", "tctl", "tdie", "cpu", "coretemp", "k10temp"];

pub(super) struct TemperatureProbe {
    components: Components,
    readings: Vec<(String, Option<f64>)>,
}

impl TemperatureProbe {
    /// `None` where the platform cannot list sensors.
    pub(super) fn new() -> Option<Self> {
        Some(Self { components: Components::new().ok()?, readings: Vec::new() })
    }

    /// Reads the sensors. Some take milliseconds to answer, so this is not done for every sample.
    pub(super) fn refresh(&mut self) {
        self.components.refresh(true);
        let readings = self
            .components
            .iter()
            .map(|sensor| (sensor.label().trim().to_owned(), sensor.temperature().map(f64::from)));
        self.readings = bounded(readings.collect());
    }

    /// The processor's temperature (the hottest sensor where none is known as the processor's), then
    /// each sensor. Nothing on a machine without sensors.
    pub(super) fn sample(&self, recorder: &mut Recorder) {
        if self.readings.is_empty() {
            return;
        }
        recorder.flat("temperature_celsius", of_the_host(&self.readings));
        for (sensor, celsius) in &self.readings {
            recorder.labelled("temperature_celsius", &[("sensor", sensor)], *celsius);
        }
    }
}

fn bounded(mut readings: Vec<(String, Option<f64>)>) -> Vec<(String, Option<f64>)> {
    readings.retain(|(sensor, _)| !sensor.is_empty());
    readings.sort_by(|a, b| a.0.cmp(&b.0));
    readings.dedup_by(|a, b| a.0 == b.0);
    readings.truncate(SENSORS_MAX);
    readings
}

fn of_the_host(readings: &[(String, Option<f64>)]) -> Option<f64> {
    let hottest = |wanted: &dyn Fn(&str) -> bool| {
        readings
            .iter()
            .filter(|(sensor, _)| wanted(&sensor.to_ascii_lowercase()))
            .filter_map(|(_, celsius)| *celsius)
            .reduce(f64::max)
    };
    CPU_SENSORS
        .iter()
        .find_map(|name| hottest(&|sensor| sensor.contains(name)))
        .or_else(|| hottest(&|_| true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(of: &[(&str, Option<f64>)]) -> Vec<(String, Option<f64>)> {
        of.iter().map(|(sensor, celsius)| ((*sensor).to_owned(), *celsius)).collect()
    }

    #[test]
    fn the_processors_sensor_speaks_for_the_host() {
        let table = [
            (readings(&[("coretemp Package id 0", Some(51.0)), ("coretemp Core 0", Some(55.0))]), Some(51.0)),
            (readings(&[("k10temp Tctl", Some(60.0)), ("nvme Composite", Some(70.0))]), Some(60.0)),
            (readings(&[("nvme Composite", Some(38.0)), ("acpitz temp1", Some(41.0))]), Some(41.0)),
            (readings(&[("k10temp Tctl", None), ("acpitz temp1", Some(41.0))]), Some(41.0)),
            (readings(&[("acpitz temp1", None)]), None),
        ];
        for (sensors, expected) in table {
            assert_eq!(of_the_host(&sensors), expected, "{sensors:?}");
        }
    }

    #[test]
    fn sensors_are_sorted_named_once_and_bounded() {
        let mut many = readings(&[("b", None), ("a", Some(1.0)), ("a", Some(2.0)), ("", Some(3.0))]);
        assert_eq!(bounded(many.clone()), readings(&[("a", Some(1.0)), ("b", None)]));
        many.extend((0..500).map(|i| (format!("s{i}"), None)));
        assert_eq!(bounded(many).len(), SENSORS_MAX);
    }
}
