package org.pripro.splitkit.parity

import org.junit.Assert.assertEquals
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bench.Device
import org.pripro.splitkit.bench.RowSource
import org.pripro.splitkit.bundle.Json
import org.pripro.splitkit.number

class ReportTest {
    @Test
    fun theReportIsTheContractsByteForByte() {
        val entry = Contract.of("device-parity").first { it.accept }
        val raw = Json.parse(entry.bytes) as Map<*, *>
        val device = raw["device"] as Map<*, *>
        val outputs = (raw["outputs"] as List<*>).map { it as Map<*, *> }.map { row ->
            DeviceOutput(
                index = row["index"].number().toInt(),
                source = RowSource(row["target"] as String, row["precision"] as String, row["backend"] as String, row["runtime"] as String),
                imageSha256 = row["image_sha256"] as String,
                epsSha256 = row["eps_sha256"] as String,
                smashedBase64 = row["smashed_base64"] as String,
                logits = (row["logits"] as List<*>?)?.map { it.number() },
            )
        }
        val report = DeviceParityReport(
            bundleId = raw["bundle_id"] as String,
            createdUtc = raw["created_utc"] as String,
            device = Device(
                kind = device["kind"] as String,
                model = device["model"] as String,
                os = device["os"] as String,
                cpu = device["cpu"] as String,
                cores = device["cores"].number().toInt(),
            ),
            outputs = outputs,
        )
        assertEquals(String(entry.bytes), report.write())
    }
}
