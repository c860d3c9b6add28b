package org.pripro.splitkit.bench

import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRuntime

/** Where something ran; "android" on a phone, "emulated" on the emulator, "host" in tests. */
public data class Device(val kind: String, val model: String, val os: String, val cpu: String, val cores: Int) {
    internal fun json(): Map<String, Any?> = mapOf("kind" to kind, "model" to model, "os" to os, "cpu" to cpu, "cores" to cores)
}

/** State of the phone at one moment; null where it is not reported. */
public data class Condition(
    val governor: String? = null,
    val temperatureC: Double? = null,
    val thermalStatus: String? = null,
    val batteryPercent: Double? = null,
    val loadAverage: Double? = null,
) {
    internal fun json(): Map<String, Any?> = mapOf(
        "governor" to governor,
        "temperature_c" to temperatureC,
        "thermal_status" to thermalStatus,
        "battery_percent" to batteryPercent,
        "load_average" to loadAverage,
    )
}

/** What produced a row: a head under a runtime, or what follows it. */
public data class RowSource(val target: String, val precision: String, val backend: String, val runtime: String) {
    public constructor(head: Head, runtime: String) : this(head.target, head.precision, head.backend, runtime)

    /** Says what was asked for, what really ran where the runtime says so, and what made the file. */
    public constructor(head: Head, runtime: HeadRuntime, options: HeadOptions, ranOn: String?) : this(
        head,
        listOfNotNull(
            runtime.name,
            "asked for ${options.accelerator.name.lowercase()}",
            ranOn?.let { "ran on $it" },
            "file made with ${head.tools[head.target] ?: "unknown"}",
        ).joinToString(),
    )

    internal fun json(): Map<String, Any?> = mapOf("target" to target, "precision" to precision, "backend" to backend, "runtime" to runtime)
}

/** One row of a [LatencyReport]. */
public data class LatencyRow(
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
    internal fun json(): Map<String, Any?> = mapOf("part" to part) + source.json() + mapOf(
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
public data class LatencyReport(
    val bundleId: String,
    val createdUtc: String,
    val device: Device,
    val start: Condition,
    val end: Condition,
    val rows: List<LatencyRow>,
) {
    public fun write(): String = CanonicalJson.write(
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
