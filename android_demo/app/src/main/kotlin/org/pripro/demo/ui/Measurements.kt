package org.pripro.demo.ui

import org.pripro.demo.bench.BenchRequest
import org.pripro.demo.bench.HeadBenchmark
import org.pripro.demo.bench.LatencyReport
import org.pripro.demo.bundle.Head
import org.pripro.demo.parity.Replay
import org.pripro.demo.parity.ReplayedRow

/** Benchmark and parity as jobs: the same for the screens and for adb's intents. */
object Measurements {
    /** Times heads and writes the report as [name]. */
    fun Job<BenchResult>.benchmark(app: DemoApp, name: String, request: () -> BenchRequest) = start {
        val session = app.session
        val bench = HeadBenchmark(session.bundle, app.phone, session::runtime, session::open)
        val report = bench.run(request(), { tick { BenchResult(it, null, null) } }, ::cancelled)
        BenchResult(null, summary(report), app.reports.write(name, report.write()))
    }

    /** Replays the goldens, sends them to the tail where one is set, and writes the report as [name]. */
    fun Job<ParityResult>.parity(app: DemoApp, name: String, heads: () -> List<Head>) = start {
        val session = app.session
        val client = session.tailClient()
        val exact = session.bundle.manifest.tail?.inputs?.firstOrNull { it.dtype == "float32" }
        val tail = if (client == null || exact == null) null else { smashed: FloatArray -> client.infer(smashed, exact).logits }
        val rows = ArrayList<ReplayedRow>()
        val replay = Replay(session.bundle, app.phone, session::runtime, { session.open(it, app.settings.threads) }, tail)
        val report = replay.run(heads(), { row ->
            rows.add(row)
            tick { ParityResult(rows.toList(), null) }
        }, ::cancelled)
        ParityResult(rows, app.reports.write(name, report.write()))
    }

    private fun summary(report: LatencyReport): String = report.rows.joinToString("\n") { row ->
        val s = row.statistics
        val ratio = row.ratioToFirst?.let { ", %.2f x the first".format(it) } ?: ""
        "%s %s: p50 %.2f ms, p90 %.2f, p99 %.2f, n %d%s".format(row.source.target, row.source.precision, s.p50, s.p90, s.p99, s.n, ratio)
    }
}
