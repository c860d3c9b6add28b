package org.pripro.demo.ui

import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.pripro.demo.R
import org.pripro.demo.ui.Measurements.accelerators
import org.pripro.demo.ui.Measurements.parity
import org.pripro.splitkit.parity.Trial

/** Replays the bundle's goldens on this phone and writes what `pripro verify --device-report` reads. */
class ParityActivity : ScreenActivity<ParityResult>(R.layout.parity, R.id.tab_parity) {
    override val job get() = app.parity

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        find<Button>(R.id.start).setOnClickListener {
            if (job.state.running) {
                job.cancel(screen, getString(R.string.stopped))
            } else {
                job.parity(screen, app, "device-parity.json") { app.session.heads }
            }
        }
        find<Button>(R.id.accelerators).setOnClickListener { job.accelerators(screen, app) }
        find<Button>(R.id.share).setOnClickListener { job.state.value?.file?.let { startActivity(app.reports.share(it)) } }
    }

    override fun draw(state: Job.State<ParityResult>) {
        find<Button>(R.id.accelerators).isEnabled = !state.running
        find<LinearLayout>(R.id.trials).removeAllViews()
        state.value?.trials?.let { trials -> return draw(trials, state.running) }
        find<Button>(R.id.start).setText(if (state.running) R.string.stop else R.string.replay)
        find<Button>(R.id.share).isEnabled = state.value?.file != null
        val rows = state.value?.rows?.joinToString("\n") { row ->
            val top1 = when (row.sameTop1) {
                null -> row.answerMaxAbs?.let { getString(R.string.answer_differs_by, it) } ?: getString(R.string.top1_offline)
                true -> getString(R.string.top1_same)
                false -> getString(R.string.top1_differs)
            }
            "%s  #%d  max |d| %.2e  %s".format(row.head, row.index, row.maxAbs, top1)
        }
        val file = state.value?.file?.let { "\n\n" + getString(R.string.parity_next, it.path) } ?: ""
        find<TextView>(R.id.rows).text = if (rows == null) getString(R.string.parity_hint) else rows + file
    }

    /** One line for each accelerator: a button where its goldens pass, red text where they do not; that one is not offered. */
    private fun draw(trials: List<Trial>, running: Boolean) {
        find<TextView>(R.id.rows).text = if (running) getString(R.string.accelerators_hint) else getString(R.string.accelerator_pick)
        for (trial in trials) {
            val says = trial.ranOn?.let { getString(R.string.accelerator_ran, trial.says, it) } ?: trial.says
            val line = getString(R.string.accelerator_line, trial.accelerator.name, says)
            find<LinearLayout>(R.id.trials).addView(if (trial.passed) choice(trial, line) else failure(line))
        }
    }

    private fun choice(trial: Trial, line: String) = Button(this).apply {
        text = if (trial.accelerator == app.settings.accelerator) "\u2713 $line" else line
        setOnClickListener {
            app.settings.accelerator = trial.accelerator
            draw(job.state)
        }
    }

    private fun failure(line: String) = TextView(this).apply {
        text = line
        setTextColor(getColor(R.color.error))
    }
}
