"""Reports as a phone writes them."""

import base64
import hashlib
import struct

from made_bundles import UTC

from toolkit.records import latency as latency_records
from toolkit.records import machine
from toolkit.records import parity as parity_records

DEVICE = machine.Device(kind="android", model="Pixel 4", os="Android 10 (API 29)", cpu="arm64-v8a", cores=8)
START = machine.Condition(temperature_c=30.5, thermal_status="none", battery_percent=80.0)


def latency(bundle_id: str) -> latency_records.LatencyReport:
    common = {
        "target": "executorch",
        "precision": "fp32",
        "backend": "xnnpack",
        "runtime": "ExecuTorch 1.5.1",
        "threads": 2,
    }
    return latency_records.LatencyReport(
        bundle_id=bundle_id,
        created_utc=UTC,
        device=DEVICE,
        start=START,
        end=machine.Condition(thermal_status="light", battery_percent=79.0, load_average=1.25),
        rows=[
            latency_records.LatencyRow(
                part="head",
                **common,
                load_ms=41.25,
                first_run_ms=12.0,
                warmups=5,
                n=100,
                mean_ms=8.1234567,
                std_ms=0.000001,
                min_ms=7.5,
                p50_ms=8.0,
                p90_ms=9.125,
                p99_ms=10.0000005,
                ratio_to_first=1.0,
                peak_memory_bytes=123456789,
            ),
            latency_records.LatencyRow(
                part="network",
                **common,
                load_ms=None,
                first_run_ms=None,
                warmups=0,
                n=1,
                mean_ms=1234567.5,
                std_ms=0.0,
                min_ms=1e-07,
                p50_ms=0.1,
                p90_ms=100.0,
                p99_ms=1e6,
                flag='throttled: "severe" \\ 45 °C\n',
            ),
        ],
        operators=[
            latency_records.OperatorRow(
                target="executorch", precision="fp32", operator="conv2d", calls=3, total_ms=2.5, share=0.3125
            )
        ],
    )


def device_parity(bundle_id: str) -> parity_records.DeviceParityReport:
    image = struct.pack("<3f", 0.0, 0.5, -1.0)
    smashed = struct.pack("<4f", 1.0, -2.5, 3.4028234e38, 1e-30)
    common = {"target": "executorch", "precision": "fp32", "backend": "xnnpack", "runtime": "ExecuTorch 1.5.1"}
    return parity_records.DeviceParityReport(
        bundle_id=bundle_id,
        created_utc=UTC,
        device=DEVICE.model_copy(update={"kind": "ios", "model": "iPhone 15 / “test”"}),
        outputs=[
            parity_records.DeviceOutput(
                index=0,
                **common,
                image_sha256=hashlib.sha256(image).hexdigest(),
                eps_sha256="",
                smashed_base64=base64.b64encode(smashed).decode(),
                logits=[-1.5, 0.0, -1e-9, 12.3456789],
            ),
            parity_records.DeviceOutput(
                index=1,
                **common,
                image_sha256=hashlib.sha256(image).hexdigest(),
                eps_sha256=hashlib.sha256(smashed).hexdigest(),
                smashed_base64="",
                logits=None,
            ),
        ],
    )
