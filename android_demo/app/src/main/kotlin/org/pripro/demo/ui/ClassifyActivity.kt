package org.pripro.demo.ui

import android.Manifest
import android.app.AlertDialog
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.Spinner
import android.widget.TextView
import android.widget.Toast
import org.pripro.demo.R
import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.android.PhotoReader
import org.pripro.splitkit.answer.Reading
import org.pripro.splitkit.head.Accelerator

/** Photo, what leaves the phone beside it, and the answer. The camera app takes the photo. */
class ClassifyActivity : ScreenActivity<Shown>(R.layout.classify, R.id.tab_classify) {
    override val job get() = app.classify

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        find<Button>(R.id.camera).setOnClickListener { askForCamera() }
        find<Button>(R.id.gallery).setOnClickListener { ask(galleryIntent(), GALLERY) }
        find<Button>(R.id.live).setOnClickListener { startActivity(Intent(this, LiveActivity::class.java)) }
        find<Button>(R.id.tail_settings).setOnClickListener { editTail() }
    }

    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        if (result != RESULT_OK) return
        val photo = if (request == CAMERA) SharedFiles.uri(this, SharedFiles.PHOTO) else data?.data
        if (photo != null) classify(photo)
    }

    override fun draw(state: Job.State<Shown>) {
        val shown = state.value
        find<Button>(R.id.camera).isEnabled = !state.running
        find<Button>(R.id.gallery).isEnabled = !state.running
        find<ImageView>(R.id.photo).setImageBitmap(shown?.photo)
        find<ImageView>(R.id.leaves).setImageBitmap(shown?.leaves)
        find<TextView>(R.id.timing).text = shown?.let(::timing) ?: getString(R.string.classify_hint)
        find<TextView>(R.id.answer).text = shown?.let(::answer)
        find<ImageView>(R.id.mask).setImageBitmap(shown?.mask)
        find<ImageView>(R.id.mask).visibility = if (shown?.mask == null) View.GONE else View.VISIBLE
    }

    private fun classify(photo: Uri) {
        val before = job.state.value?.answer?.reading as? Reading.Embedding
        val classification = Classification(app.session, PhotoReader(applicationContext), app.settings.url.isNotEmpty(), before)
        job.start(screen) { classification.run(photo) { show(it) } }
    }

    /** What the answer says, whatever the task; of many lines the first ones. */
    private fun answer(shown: Shown): String? {
        val lines = shown.answer?.reading?.lines ?: return null
        val more = if (lines.size > LINES) listOf(getString(R.string.more_lines, lines.size - LINES)) else emptyList()
        val like = shown.likeBefore?.let { listOf(getString(R.string.like_before, it)) } ?: emptyList()
        return (lines.take(LINES) + more + like).joinToString("\n")
    }

    private fun timing(shown: Shown): String {
        val features = shown.features ?: return getString(R.string.head_runs)
        val head = getString(R.string.head_ms, features.headMs)
        val waiting = if (app.settings.url.isEmpty()) R.string.no_tail else R.string.tail_asked
        val answer = shown.answer ?: return head + "\n" + getString(waiting)
        val tail = answer.tailMs
        val rest = if (tail == null) {
            getString(R.string.round_trip_ms, answer.roundTripMs, answer.bytesSent / 1000.0)
        } else {
            getString(R.string.network_tail_ms, answer.roundTripMs - tail, tail, answer.bytesSent / 1000.0)
        }
        return head + "\n" + rest
    }

    /** The system's photo picker, which shows the chosen photo alone to this app; a file chooser where there is none. */
    private fun galleryIntent(): Intent {
        if (Build.VERSION.SDK_INT >= PICKER_SINCE) return Intent(PICK_IMAGES).setType("image/*")
        return Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
    }

    private fun cameraIntent(): Intent {
        val target = SharedFiles.uri(this, SharedFiles.PHOTO)
        SharedFiles.file(this, SharedFiles.PHOTO).delete()
        return Intent(MediaStore.ACTION_IMAGE_CAPTURE).putExtra(MediaStore.EXTRA_OUTPUT, target)
            .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION or Intent.FLAG_GRANT_READ_URI_PERMISSION)
            .apply { clipData = ClipData.newRawUri("photo", target) }
    }

    /** An app that declares the CAMERA permission, as this one does for Live, needs it granted to call the camera app, too. */
    private fun askForCamera() {
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            ask(cameraIntent(), CAMERA)
        } else {
            requestPermissions(arrayOf(Manifest.permission.CAMERA), CAMERA)
        }
    }

    override fun onRequestPermissionsResult(request: Int, permissions: Array<String>, results: IntArray) {
        if (results.firstOrNull() == PackageManager.PERMISSION_GRANTED) {
            ask(cameraIntent(), CAMERA)
        } else {
            Toast.makeText(this, R.string.not_allowed, Toast.LENGTH_LONG).show()
        }
    }

    private fun ask(intent: Intent, request: Int) {
        try {
            startActivityForResult(intent, request)
        } catch (_: ActivityNotFoundException) {
            Toast.makeText(this, R.string.no_such_app, Toast.LENGTH_LONG).show()
        } catch (_: SecurityException) {
            Toast.makeText(this, R.string.not_allowed, Toast.LENGTH_LONG).show()
        }
    }

    private fun editTail() {
        val form = layoutInflater.inflate(R.layout.tail_settings, null)
        val url = form.findViewById<EditText>(R.id.url).apply { setText(app.settings.url) }
        val token = form.findViewById<EditText>(R.id.token).apply { setText(app.settings.token) }
        val titles = titles()
        val head = form.findViewById<Spinner>(R.id.head).apply {
            adapter = ArrayAdapter(this@ClassifyActivity, android.R.layout.simple_spinner_dropdown_item, titles)
            setSelection(maxOf(titles.indexOf(app.settings.head), 0))
        }
        AlertDialog.Builder(this).setTitle(R.string.tail).setView(form)
            .setPositiveButton(android.R.string.ok) { _, _ ->
                app.settings.url = url.text.toString()
                app.settings.token = token.text.toString()
                (head.selectedItem as String?)?.takeIf { it != app.settings.head }?.let {
                    app.settings.head = it
                    // an accelerator is chosen for a head: its goldens have passed there, not another's
                    app.settings.accelerator = Accelerator.CPU
                }
            }
            .setNegativeButton(android.R.string.cancel, null)
            .show()
    }

    /** Reading the manifest takes milliseconds; a bundle that does not fit is reported when a photo is chosen. */
    private fun titles(): List<String> = try {
        app.session.heads.map { it.title }
    } catch (_: SplitKitException) {
        emptyList()
    }

    private companion object {
        const val CAMERA = 1
        const val GALLERY = 2
        const val LINES = 8

        /** MediaStore.ACTION_PICK_IMAGES, which Android 13 (API 33) brought. */
        const val PICK_IMAGES = "android.provider.action.PICK_IMAGES"
        const val PICKER_SINCE = 33
    }
}
