//! `provision ports`.

use serde_json::json;
use serialport::SerialPortType;

use crate::fault::Fault;
use crate::report::Report;
use crate::station::location_of;

pub(crate) fn run(report: &mut Report) -> Result<(), Fault> {
    let ports = serialport::available_ports().map_err(Fault::PortList)?;
    if ports.is_empty() {
        report.note("no serial ports")?;
    }
    for port in ports {
        let (kind, detail) = match &port.port_type {
            SerialPortType::UsbPort(usb) => (
                "usb",
                [&usb.manufacturer, &usb.product, &usb.serial_number]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            SerialPortType::PciPort => ("pci", String::new()),
            SerialPortType::BluetoothPort => ("bluetooth", String::new()),
            SerialPortType::Unknown => ("other", String::new()),
        };
        let location = location_of(&port);
        let place = location.as_deref().map(|place| format!(":{place}")).unwrap_or_default();
        report.result(
            &format!("{}  {kind}{place}  {detail}", port.port_name),
            &json!({
                "event": "port",
                "port": port.port_name,
                "kind": kind,
                "location": location,
                "detail": detail,
            }),
        )?;
    }
    Ok(())
}
