package org.pripro.demo.ui

import android.Manifest
import android.app.Activity
import android.content.pm.PackageManager
import android.graphics.SurfaceTexture
import android.os.Bundle
import android.view.TextureView
import android.view.View
import android.view.WindowManager
import android.widget.ImageView
import android.widget.TextView
import org.pripro.demo.R
import org.pripro.splitkit.Protected
import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.android.BitmapPhoto
import org.pripro.splitkit.android.LiveCamera
import org.pripro.splitkit.bench.FrameRate
import org.pripro.splitkit.photo.Photo
import org.pripro.splitkit.photo.SmashedPicture

/** What the camera sees, what of it would leave the phone, and the answer, frame by frame; frames are dropped, not queued. */
class LiveActivity : Activity(), TextureView.SurfaceTextureListener {
    private val app get() = application as DemoApp
    private var camera: LiveCamera? = null
    private var surface: SurfaceTexture? = null
    private val rate = FrameRate()

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setContentView(R.layout.live)
        find<TextureView>(R.id.preview).surfaceTextureListener = this
    }

    override fun onStart() {
        super.onStart()
        if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(arrayOf(Manifest.permission.CAMERA), 1)
        }
        start()
    }

    override fun onStop() {
        camera?.close()
        camera = null
        super.onStop()
    }

    override fun onRequestPermissionsResult(request: Int, permissions: Array<String>, results: IntArray) {
        if (results.firstOrNull() == PackageManager.PERMISSION_GRANTED) start() else show(getString(R.string.live_not_allowed))
    }

    override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) {
        surface = texture
        start()
    }

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean {
        surface = null
        camera?.close()
        camera = null
        return true
    }

    override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) = Unit

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit

    private fun start() {
        val texture = surface ?: return
        if (camera != null || checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) return
        camera = LiveCamera(this, texture, rate, { error -> runOnUiThread { show(error.message) } }, ::work)
    }

    /** One frame, on the camera's worker thread. */
    private fun work(photo: Photo) {
        try {
            val client = app.session.client()
            val features = client.protect(photo)
            val answer = if (app.settings.url.isEmpty()) null else client.ask(features)
            draw(features, answer?.reading?.lines?.firstOrNull())
        } catch (error: SplitKitException) {
            runOnUiThread { show(error.message) }
        }
    }

    private fun draw(features: Protected, answer: String?) {
        val picture = BitmapPhoto.bitmap(SmashedPicture.draw(features.smashed, features.head.outputs.single()))
        val condition = app.phone.condition()
        val temperature = condition.temperatureC?.let { "%.1f °C".format(it) } ?: getString(R.string.unknown)
        val line = getString(R.string.live_rate, rate.perSecond(), rate.dropped, features.headMs, temperature, condition.thermalStatus ?: getString(R.string.unknown))
        runOnUiThread {
            find<ImageView>(R.id.leaves).setImageBitmap(picture)
            find<TextView>(R.id.timing).text = line
            find<TextView>(R.id.answer).text = answer ?: getString(R.string.no_tail)
            find<TextView>(R.id.error).visibility = View.GONE
        }
    }

    private fun show(error: String?) = find<TextView>(R.id.error).run {
        text = error
        visibility = View.VISIBLE
    }

    private fun <V : View> find(id: Int): V = findViewById(id)
}
