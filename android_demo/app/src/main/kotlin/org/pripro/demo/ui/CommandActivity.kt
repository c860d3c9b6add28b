package org.pripro.demo.ui

import android.app.Activity
import android.os.Bundle
import android.util.Log
import android.view.WindowManager
import android.widget.TextView
import org.pripro.splitkit.SplitKitException
import org.pripro.demo.R
import org.pripro.splitkit.bench.BenchRequest
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.Runtimes
import org.pripro.demo.ui.Measurements.benchmark
import org.pripro.demo.ui.Measurements.parity

/**
 * The benchmark and the parity replay for adb, without a touch:
 *
 *     adb shell am start -W -n org.pripro.demo/.ui.CommandActivity --es bench all --ei threads 2 --ei runs 100 --es out run1
 *     adb shell am start -W -n org.pripro.demo/.ui.CommandActivity --es parity all --es url http://127.0.0.1:8080 --es out par1
 *     adb pull /sdcard/Android/data/org.pripro.demo/files/reports/run1.json
 *
 * Either OUT.json or OUT.error.txt appears. It shows a line on the screen on purpose: Android slows down apps that show
 * nothing. Its manifest entry asks the caller for the DUMP permission, which adb's shell has and other apps do not.
 */
class CommandActivity : Activity() {
    private val app get() = application as DemoApp

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setContentView(R.layout.command)
        if (saved == null) obey()
    }

    override fun onStart() {
        super.onStart()
        val name = outName()
        app.benchmark.attach(SCREEN) { state -> if (wants(BENCH)) follow(name, state.running, state.error, state.value?.file?.path) }
        app.parity.attach(SCREEN) { state -> if (wants(PARITY)) follow(name, state.running, state.error, state.value?.file?.path) }
    }

    override fun onStop() {
        app.benchmark.detach(SCREEN)
        app.parity.detach(SCREEN)
        if (!isChangingConfigurations) app.benchmark.cancel(SCREEN, getString(R.string.bench_background))
        super.onStop()
    }

    private fun obey() {
        val name = outName()
        app.reports.delete("$name.json")
        app.reports.delete("$name.error.txt")
        intent.getStringExtra("url")?.let { app.settings.url = it }
        val threads = intent.getIntExtra("threads", 2).coerceIn(1, 16)
        val runs = intent.getIntExtra("runs", 100).coerceIn(1, 10_000)
        val warmups = intent.getIntExtra("warmups", 10).coerceIn(0, 1_000)
        app.settings.threads = threads
        val started = when {
            wants(BENCH) -> app.benchmark.benchmark(SCREEN, app, "$name.json") {
                BenchRequest(Runtimes.matching(app.session.heads, wanted(BENCH)), HeadOptions(threads), warmups, runs)
            }
            wants(PARITY) -> app.parity.parity(SCREEN, app, "$name.json") { Runtimes.matching(app.session.heads, wanted(PARITY)) }
            else -> return refuse(name, getString(R.string.command_usage))
        }
        if (!started) refuse(name, getString(R.string.command_busy))
    }

    private fun refuse(name: String, why: String) = follow(name, running = false, error = why, file = null)

    private fun follow(name: String, running: Boolean, error: String?, file: String?) {
        val line = error ?: file ?: getString(R.string.working)
        findViewById<TextView>(R.id.line).text = line
        if (running) return
        if (error == null && file == null) return
        try {
            if (error != null) app.reports.write("$name.error.txt", error + "\n")
        } catch (full: SplitKitException) {
            Log.e(TAG, full.message, full)
        }
        Log.i(TAG, line)
        finish()
    }

    private fun wants(what: String) = intent.hasExtra(what)

    private fun wanted(what: String) = intent.getStringExtra(what) ?: "all"

    private fun outName(): String = intent.getStringExtra("out")?.takeIf(NAME::matches) ?: "command"

    private companion object {
        val NAME = Regex("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
        const val SCREEN = "adb"
        const val TAG = "PriproDemo"
        const val BENCH = "bench"
        const val PARITY = "parity"
    }
}
