package org.pripro.splitkit.android

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import org.pripro.splitkit.PhotoFailed
import org.pripro.splitkit.bench.FrameRate
import org.pripro.splitkit.photo.Orientation
import org.pripro.splitkit.photo.Photo
import org.pripro.splitkit.photo.YuvPhoto
import java.io.Closeable

/**
 * The back camera, live: frames go to [work] one at a time, on a thread of its own, and those that come meanwhile are dropped.
 *
 * The app must hold the CAMERA permission before it opens this.
 *
 * @param preview where the system shows what the camera sees.
 * @param failed called once, with a sentence for the screen.
 */
@SuppressLint("MissingPermission")
public class LiveCamera(
    private val context: Context,
    private val preview: SurfaceTexture,
    private val rate: FrameRate,
    private val failed: (PhotoFailed) -> Unit,
    private val work: (Photo) -> Unit,
) : Closeable {
    private val thread = HandlerThread("camera").apply { start() }
    private val worker = HandlerThread("frames").apply { start() }
    private val handler = Handler(thread.looper)
    private val frames = Handler(worker.looper)
    private val reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, BUFFERS)
    private var device: CameraDevice? = null
    private var orientation = Orientation.UPRIGHT
    @Volatile private var isClosed = false

    init {
        reader.setOnImageAvailableListener(::take, handler)
        handler.post(::open)
    }

    private fun open() {
        try {
            val manager = context.getSystemService(Context.CAMERA_SERVICE) as CameraManager
            val id = manager.cameraIdList.firstOrNull { facing(manager, it) == CameraCharacteristics.LENS_FACING_BACK }
                ?: manager.cameraIdList.firstOrNull() ?: throw PhotoFailed("This phone has no camera; choose a photo instead.")
            orientation = when (manager.getCameraCharacteristics(id).get(CameraCharacteristics.SENSOR_ORIENTATION)) {
                90 -> Orientation.ROTATED_90
                180 -> Orientation.ROTATED_180
                270 -> Orientation.ROTATED_270
                else -> Orientation.UPRIGHT
            }
            manager.openCamera(id, Opened(), handler)
        } catch (error: CameraAccessException) {
            fail("The camera cannot be opened (${error.message}); close other apps that use it.", error)
        } catch (error: SecurityException) {
            fail("This app may not use the camera; allow it in the phone's settings, or choose a photo.", error)
        } catch (error: PhotoFailed) {
            if (!isClosed) failed(error)
        }
    }

    private fun facing(manager: CameraManager, id: String): Int? =
        manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)

    private inner class Opened : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (isClosed) return camera.close()
            device = camera
            preview.setDefaultBufferSize(WIDTH, HEIGHT)
            val seen = Surface(preview)
            try {
                // the call with a list of surfaces is the one that exists on every phone from API 26 on
                @Suppress("DEPRECATION")
                camera.createCaptureSession(listOf(seen, reader.surface), Running(camera, seen), handler)
            } catch (error: CameraAccessException) {
                fail("The camera does not start (${error.message}); try again.", error)
            }
        }

        override fun onDisconnected(camera: CameraDevice) = camera.close()

        override fun onError(camera: CameraDevice, error: Int) {
            camera.close()
            fail("The camera stopped (error $error); close other apps that use it, then try again.", null)
        }
    }

    private inner class Running(private val camera: CameraDevice, private val seen: Surface) : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply {
                addTarget(seen)
                addTarget(reader.surface)
                set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
            }
            try {
                session.setRepeatingRequest(request.build(), null, handler)
            } catch (error: CameraAccessException) {
                fail("The camera does not run (${error.message}); try again.", error)
            } catch (_: IllegalStateException) {
                // closed in between: nobody waits for it any more
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = fail("The camera does not give ${WIDTH}x$HEIGHT frames; choose a photo instead.", null)
    }

    /** The newest frame, if the one before is done with; older ones never wait. */
    private fun take(reader: ImageReader) {
        val image = reader.acquireLatestImage() ?: return
        if (isClosed || !rate.begin()) return image.close()
        // copied at once: the camera has only a few buffers, and stops when all are in use
        val photo = image.use(::copy)
        frames.post {
            try {
                if (!isClosed) work(photo)
            } finally {
                rate.end()
            }
        }
    }

    private fun copy(image: Image): Photo {
        val (y, u, v) = image.planes.map { plane -> ByteArray(plane.buffer.remaining()).also { plane.buffer.get(it) } }
        val chroma = image.planes[1]
        return YuvPhoto(y, u, v, image.width, image.height, image.planes[0].rowStride, chroma.rowStride, chroma.pixelStride, orientation)
    }

    private fun fail(sentence: String, cause: Throwable?) {
        if (!isClosed) failed(PhotoFailed(sentence, cause))
    }

    override fun close() {
        isClosed = true
        handler.post {
            device?.close()
            reader.close()
            thread.quitSafely()
            worker.quitSafely()
        }
    }

    private companion object {
        const val WIDTH = 640
        const val HEIGHT = 480
        const val BUFFERS = 3
    }
}
