// A whole third-party app around splitkit: implementation("org.pripro:splitkit-android:0.1.0") and splitkit-executorch.
package com.example.sample

import android.app.Activity
import android.graphics.BitmapFactory
import android.os.Bundle
import android.widget.TextView
import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.android.AndroidBundle
import org.pripro.splitkit.android.SplitClient
import org.pripro.splitkit.android.classify
import kotlin.concurrent.thread

class SampleActivity : Activity() {
    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        val answer = TextView(this).also(::setContentView)
        thread {
            val line = try {
                val bitmap = assets.open("photo.jpg").use(BitmapFactory::decodeStream)
                SplitClient(AndroidBundle(this), "https://tail.example.org").use { it.classify(bitmap).reading.lines.joinToString("\n") }
            } catch (error: SplitKitException) {
                error.message
            }
            runOnUiThread { answer.text = line }
        }
    }
}
