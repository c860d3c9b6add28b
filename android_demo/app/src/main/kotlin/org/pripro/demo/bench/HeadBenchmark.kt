package org.pripro.demo.bench

import org.pripro.demo.bundle.Bundle
import org.pripro.demo.bundle.Head
import org.pripro.demo.bundle.Safetensors
import org.pripro.demo.head.HeadRunner
import org.pripro.demo.noise.EpsSource

/** What a person or an intent asked for. */
data class BenchRequest(val heads: List<Head>, val threads: Int, val warmups: Int, val runs: Int)

/** The phone as the benchmark sees it; ui/Phone.kt reads the real one. */
interface PhoneState {
    val device: Device

    fun condition(): Condition

    fun peakMemoryBytes(): Long?

    fun nowUtc(): String
}

/**
 * Times heads on the first golden image with fresh noise in each run.
 *
 * Drawing the noise counts: no request goes out without it.
 *
 * @param open opens a head with that many threads.
 * @param runtime names what runs a head.
 */
class HeadBenchmark(
    private val bundle: Bundle,
    private val phone: PhoneState,
    private val runtime: (Head) -> String,
    private val open: (Head, Int) -> HeadRunner,
) {
    /** @throws Cancelled when [cancelled] says so; all heads are closed then. */
    fun run(request: BenchRequest, progress: (BenchProgress) -> Unit, cancelled: () -> Boolean): LatencyReport {
        val image = Safetensors.read("golden inputs", bundle.read(bundle.golden().inputs)).getValue("image").row(0)
        val noise = bundle.manifest.protection?.eps?.let { EpsSource(it.values) }
        val runners = ArrayList<HeadRunner>()
        val subjects = request.heads.map { head ->
            Subject(head.title) {
                val runner = open(head, request.threads).also(runners::add)
                val step = {
                    runner.run(image, noise?.draw())
                    noise?.forget()
                    Unit
                }
                step
            }
        }
        val start = phone.condition()
        try {
            val timings = Benchmark(request.warmups, request.runs).run(subjects, progress, cancelled)
            return report(request, timings, start, phone.condition())
        } finally {
            runners.forEach { it.close() }
        }
    }

    private fun report(request: BenchRequest, timings: List<Timing>, start: Condition, end: Condition): LatencyReport {
        val first = timings.first().statistics.p50
        val rows = timings.zip(request.heads) { timing, head ->
            LatencyRow(
                part = "head",
                source = RowSource(head, runtime(head)),
                threads = request.threads,
                loadMs = timing.loadMs,
                firstRunMs = timing.firstRunMs,
                warmups = request.warmups,
                statistics = timing.statistics,
                ratioToFirst = timing.statistics.p50 / first,
                peakMemoryBytes = phone.peakMemoryBytes(),
                flag = flag(start, end),
            )
        }
        return LatencyReport(bundle.manifest.bundleId, phone.nowUtc(), phone.device, start, end, rows)
    }

    /** Why the figures should be doubted. */
    private fun flag(start: Condition, end: Condition): String {
        val hot = listOf(start.thermalStatus, end.thermalStatus).firstOrNull { it != null && it != "none" && it != "light" }
        return if (hot == null) "" else "thermal status $hot: the phone slows down to cool"
    }
}
