package org.pripro.demo.bench

import org.pripro.demo.bundle.CanonicalJson
import org.pripro.demo.bundle.Head

/** Where something ran; "android" on a phone, "emulated" on the emulator, "host" in tests. */
data class Device(val kind: String, val model: String, val os: String, val cpu: String, val cores: Int) {
    fun json(): Map<String, Any?> = mapOf("kind" to kind, "model" to model, "os" to os, "cpu" to cpu, "cores" to cores)
}

/** State of the phone at one moment; null where it does not tell. */
data class Condition(
    val governor: String? = null,
    val temperatureC: Double? = null,
    val thermalStatus: String? = null,
    val batteryPercent: Double? = null,
    val loadAverage: Double? = null,
) {
    fun json(): Map<String, Any?> = mapOf(
        "governor" to governor,
        "temperature_c" to temperatureC,
        "thermal_status" to thermalStatus,
        "battery_percent" to batteryPercent,
        "load_average" to loadAverage,
    )
}

/** What produced a row: a head under a runtime, or what follows it. */
data class RowSource(val target: String, val precision: String, val backend: String, val runtime: String) {
    constructor(head: Head, runtime: String) : this(head.target, head.precision, head.backend, runtime)

    fun json(): Map<String, Any?> = mapOf("target" to target, "precision" to precision, "backend" to backend, "runtime" to runtime)
}

/** One row of a [LatencyReport]. */
data class LatencyRow(
    val part: String,
    val source: RowSource,
    val threads: Int,
    val loadMs: Double?,
    val firstRunMs: Double?,
    val warmups: Int,
    val statistics: Statistics,
    val ratioToFirst: Double?,
    val peakMemoryBytes: Long?,
    val flag: String,
) {
    fun json(): Map<String, Any?> = mapOf("part" to part) + source.json() + mapOf(
        "threads" to threads,
        "load_ms" to loadMs,
        "first_run_ms" to firstRunMs,
        "warmups" to warmups,
        "n" to statistics.n,
        "mean_ms" to statistics.mean,
        "std_ms" to statistics.std,
        "min_ms" to statistics.min,
        "p50_ms" to statistics.p50,
        "p90_ms" to statistics.p90,
        "p99_ms" to statistics.p99,
        "ratio_to_first" to ratioToFirst,
        "peak_memory_bytes" to peakMemoryBytes,
        "flag" to flag,
    )
}

/** What the Benchmark screen writes, by the published schema, as canonical JSON. */
data class LatencyReport(
    val bundleId: String,
    val createdUtc: String,
    val device: Device,
    val start: Condition,
    val end: Condition,
    val rows: List<LatencyRow>,
) {
    fun write(): String = CanonicalJson.write(
        mapOf(
            "schema_version" to 1,
            "kind" to "latency",
            "bundle_id" to bundleId,
            "created_utc" to createdUtc,
            "device" to device.json(),
            "start" to start.json(),
            "end" to end.json(),
            "rows" to rows.map { it.json() },
            "operators" to emptyList<Any?>(),
        ),
    ) + "\n"
}
