package org.pripro.splitkit.bench

import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.bundle.Safetensors
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.Runtimes
import org.pripro.splitkit.noise.EpsSource
import java.io.File

/** What a person or an intent asked for. */
public data class BenchRequest(val heads: List<Head>, val options: HeadOptions, val warmups: Int, val runs: Int)

/** The phone as the benchmark sees it; splitkit-android's Phone reads the real one. */
public interface PhoneState {
    public val device: Device

    public fun condition(): Condition

    public fun peakMemoryBytes(): Long?

    public fun nowUtc(): String
}

/**
 * Times heads on the first golden image, noise drawn in each run.
 *
 * Drawing the noise counts: no request goes out without it. Copying a head out of the app and hashing it does not: an app
 * does that once, and a load is what the runtime does with a file.
 *
 * @param install a head's file, copied and checked.
 */
public class HeadBenchmark(
    private val bundle: Bundle,
    private val phone: PhoneState,
    private val runtimes: Runtimes,
    private val install: (Head) -> File,
    private val noise: EpsSource?,
) {
    /** @throws Cancelled when [cancelled] says so; all heads are closed then. */
    public fun run(request: BenchRequest, progress: (BenchProgress) -> Unit, cancelled: () -> Boolean): LatencyReport {
        val image = Safetensors.read("golden inputs", bundle.read(bundle.golden().inputs)).getValue("image").row(0)
        val runners = ArrayList<HeadRunner>()
        val subjects = request.heads.map { head ->
            lateinit var file: File
            Subject(head.title, prepare = { file = install(head) }) {
                val runner = runtimes.of(head).open(head, file, request.options).also(runners::add)
                val step = {
                    runner.run(image, noise?.draw(image))
                    noise?.forget()
                    Unit
                }
                step
            }
        }
        val start = phone.condition()
        try {
            val timings = Benchmark(request.warmups, request.runs).run(subjects, progress, cancelled)
            return report(request, timings, runners, start, phone.condition())
        } finally {
            runners.forEach { it.close() }
        }
    }

    private fun report(
        request: BenchRequest,
        timings: List<Timing>,
        runners: List<HeadRunner>,
        start: Condition,
        end: Condition,
    ): LatencyReport {
        val first = timings.first().statistics.p50
        val rows = timings.mapIndexed { index, timing ->
            val head = request.heads[index]
            LatencyRow(
                part = "head",
                source = RowSource(head, runtimes.of(head), request.options, runners[index].ranOn),
                threads = request.options.threads,
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
