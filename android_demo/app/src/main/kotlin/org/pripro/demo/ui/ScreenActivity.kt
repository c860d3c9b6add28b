package org.pripro.demo.ui

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import org.pripro.demo.R

/** What the three screens share: the row of tabs, the line for errors, and a job that survives rotation. */
abstract class ScreenActivity<T>(private val layout: Int, private val tab: Int) : Activity() {
    protected val app: DemoApp get() = application as DemoApp

    protected abstract val job: Job<T>

    /** This screen to its job: the same before and after a rotation. */
    protected val screen: String = javaClass.name

    /** Draws a state; called again after every rotation. */
    protected abstract fun draw(state: Job.State<T>)

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(layout)
        tab(R.id.tab_classify, ClassifyActivity::class.java)
        tab(R.id.tab_benchmark, BenchmarkActivity::class.java)
        tab(R.id.tab_parity, ParityActivity::class.java)
    }

    override fun onStart() {
        super.onStart()
        job.attach(screen) { state ->
            find<TextView>(R.id.error).apply {
                text = state.error
                visibility = if (state.error == null) View.GONE else View.VISIBLE
            }
            // a screen that goes dark slows the processor down
            if (state.running) {
                window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
            } else {
                window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
            }
            draw(state)
        }
    }

    override fun onStop() {
        job.detach(screen)
        super.onStop()
    }

    protected fun <V : View> find(id: Int): V = findViewById(id)

    private fun tab(id: Int, screen: Class<out Activity>) = find<Button>(id).apply {
        isEnabled = id != tab
        setOnClickListener { startActivity(Intent(this@ScreenActivity, screen).addFlags(Intent.FLAG_ACTIVITY_REORDER_TO_FRONT)) }
    }
}
