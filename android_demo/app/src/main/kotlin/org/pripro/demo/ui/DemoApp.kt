package org.pripro.demo.ui

import android.app.Application
import android.os.Handler
import android.os.Looper
import org.pripro.splitkit.android.Phone
import org.pripro.splitkit.bench.BenchProgress
import org.pripro.splitkit.bench.Statistics
import org.pripro.splitkit.parity.ReplayedRow
import org.pripro.splitkit.parity.Trial
import java.io.File
import java.util.concurrent.Executors

/** What outlives any screen: the bundle, the settings, and work that a rotation must not stop. */
class DemoApp : Application() {
    private val main = Handler(Looper.getMainLooper())

    // one thread for everything, so that nothing runs beside a head that is being timed
    private val worker = Executors.newSingleThreadExecutor { task -> Thread(task, "head").apply { priority = Thread.MAX_PRIORITY } }

    val settings by lazy { Settings(this) }
    val session by lazy { Session(this, settings) }
    val phone by lazy { Phone(this) }
    val reports by lazy { ReportFiles(this) }

    val classify by lazy { Job<Shown>(worker, main::post) }
    val benchmark by lazy { Job<BenchResult>(worker, main::post) }
    val parity by lazy { Job<ParityResult>(worker, main::post) }
}

/** What the Benchmark screen shows: progress, then the report's file. */
class BenchResult(val progress: BenchProgress? = null, val summary: String? = null, val file: File? = null) {
    /** Computed where progress is reported, between two runs; the samples go on changing after that. */
    val soFar: Statistics? = progress?.soFar
}

/** What the Parity screen shows: rows so far, then the report's file; or how each accelerator did. */
class ParityResult(val rows: List<ReplayedRow>, val file: File?, val trials: List<Trial>? = null)
