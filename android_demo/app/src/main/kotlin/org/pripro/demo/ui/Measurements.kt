package org.pripro.demo.ui

import org.pripro.splitkit.bench.BenchRequest
import org.pripro.splitkit.bench.HeadBenchmark
import org.pripro.splitkit.bench.LatencyReport
import org.pripro.splitkit.bench.RowSource
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.parity.AcceleratorTrial
import org.pripro.splitkit.parity.Replay
import org.pripro.splitkit.parity.ReplayedRow

/** Benchmark and parity as jobs: the same for the screens and for adb's intents. */
object Measurements {
    /** Times heads and writes the report as [name]. */
    fun Job<BenchResult>.benchmark(screen: String, app: DemoApp, name: String, request: () -> BenchRequest) = start(screen) {
        val session = app.session
        val bench = HeadBenchmark(session.bundle, app.phone, session.runtimes, session.files::install, session.noise())
        val report = bench.run(request(), { tick { BenchResult(it) } }, ::cancelled)
        BenchResult(summary = summary(report), file = app.reports.write(name, report.write()))
    }

    /** Replays the goldens, sends them to the tail where one is set, and writes the report as [name]. */
    fun Job<ParityResult>.parity(screen: String, app: DemoApp, name: String, heads: () -> List<Head>) = start(screen) {
        val session = app.session
        val client = session.exactTail()
        val exact = session.bundle.manifest.tail?.inputs?.firstOrNull { it.dtype == "float32" }
        val tail = if (client == null || exact == null) null else { smashed: FloatArray -> client.infer(smashed, exact).logits }
        val options = HeadOptions(app.settings.threads)
        val rows = ArrayList<ReplayedRow>()
        val replay = Replay(
            bundle = session.bundle,
            phone = app.phone,
            source = { head, runner -> RowSource(head, session.runtimes.of(head), options, runner.ranOn) },
            open = { session.runtimes.of(it).open(it, session.files.install(it), options) },
            tail = tail,
        )
        val report = replay.run(heads(), { row ->
            rows.add(row)
            tick { ParityResult(rows.toList(), null) }
        }, ::cancelled)
        ParityResult(rows, app.reports.write(name, report.write()))
    }

    /** Replays the golden photos on each accelerator of the runtime that opens the chosen head. */
    fun Job<ParityResult>.accelerators(screen: String, app: DemoApp) = start(screen) {
        val session = app.session
        val head = session.chosenHead()
        show(ParityResult(emptyList(), null, emptyList()))
        val trial = AcceleratorTrial(session.bundle, session.runtimes.of(head), session.files::install)
        ParityResult(emptyList(), null, trial.run(head, app.settings.threads, ::cancelled))
    }

    private fun summary(report: LatencyReport): String = report.rows.joinToString("\n") { row ->
        val s = row.statistics
        val ratio = row.ratioToFirst?.let { ", %.2f x the first".format(it) } ?: ""
        "%s %s: p50 %.2f ms, p90 %.2f, p99 %.2f, n %d%s".format(row.source.target, row.source.precision, s.p50, s.p90, s.p99, s.n, ratio)
    }
}
