package org.pripro.demo.ui

import android.os.Bundle
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.EditText
import android.widget.ProgressBar
import android.widget.Spinner
import android.widget.TextView
import org.pripro.splitkit.SplitKitException
import org.pripro.demo.R
import org.pripro.splitkit.bench.BenchRequest
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.Runtimes
import org.pripro.demo.ui.Measurements.benchmark

/** Target, threads, runs; live percentiles; the report to share. */
class BenchmarkActivity : ScreenActivity<BenchResult>(R.layout.benchmark, R.id.tab_benchmark) {
    override val job get() = app.benchmark

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        val choices = listOf("all") + titles()
        find<Spinner>(R.id.target).adapter = ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, choices)
        if (saved == null) {
            find<EditText>(R.id.threads).setText(app.settings.threads.toString())
            find<EditText>(R.id.runs).setText(getString(R.string.default_runs))
        }
        find<Button>(R.id.start).setOnClickListener { startOrStop() }
        find<Button>(R.id.share).setOnClickListener { job.state.value?.file?.let { startActivity(app.reports.share(it)) } }
    }

    override fun onStop() {
        // in the background a phone gives an app fewer and slower cores: such figures would be wrong, not slow
        if (!isChangingConfigurations) job.cancel(screen, getString(R.string.bench_background))
        super.onStop()
    }

    override fun draw(state: Job.State<BenchResult>) {
        find<Button>(R.id.start).setText(if (state.running) R.string.stop else R.string.start)
        find<Button>(R.id.share).isEnabled = state.value?.file != null
        val progress = state.value?.progress
        find<ProgressBar>(R.id.progress).apply {
            visibility = if (state.running) View.VISIBLE else View.INVISIBLE
            max = progress?.rounds ?: 1
            this.progress = progress?.round ?: 0
        }
        find<TextView>(R.id.figures).text = when {
            progress != null -> state.value.soFar?.run { getString(R.string.live_figures, progress.name, n, p50, p90, p99) }
            state.value?.summary != null -> state.value.summary + "\n\n" + state.value.file
            state.running -> getString(R.string.head_loads)
            else -> getString(R.string.bench_hint)
        }
    }

    private fun startOrStop() {
        if (job.state.running) {
            job.cancel(screen, getString(R.string.stopped))
            return
        }
        val wanted = find<Spinner>(R.id.target).selectedItem as String
        val threads = number(R.id.threads, 1..16) ?: return
        val runs = number(R.id.runs, 1..10_000) ?: return
        app.settings.threads = threads
        val options = HeadOptions(threads)
        job.benchmark(screen, app, "latency.json") { BenchRequest(Runtimes.matching(app.session.heads, wanted), options, WARMUPS, runs) }
    }

    private fun number(id: Int, allowed: IntRange): Int? {
        val field = find<EditText>(id)
        val value = field.text.toString().toIntOrNull()?.takeIf { it in allowed }
        field.error = if (value == null) getString(R.string.number_between, allowed.first, allowed.last) else null
        return value
    }

    /** Reading the manifest takes milliseconds; a bundle that does not fit is reported when a run is started. */
    private fun titles(): List<String> = try {
        app.session.heads.map { it.title }
    } catch (_: SplitKitException) {
        emptyList()
    }

    private companion object {
        const val WARMUPS = 10
    }
}
