package org.pripro.demo.ui

import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.media.ExifInterface
import android.net.Uri
import org.pripro.demo.PhotoFailed
import org.pripro.demo.photo.Pixels
import java.io.IOException
import java.io.InputStream

/** Photos from the camera or the gallery: upright, and no larger than the head needs. */
class PhotoReader(private val context: Context) {
    /** @throws PhotoFailed the photo is gone, not readable for this app, or no picture. */
    fun read(uri: Uri): Bitmap = try {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        open(uri) { BitmapFactory.decodeStream(it, null, bounds) }
        val options = BitmapFactory.Options().apply { inSampleSize = sampleSize(bounds.outWidth, bounds.outHeight) }
        val bitmap = open(uri) { BitmapFactory.decodeStream(it, null, options) } ?: throw PhotoFailed(NO_PICTURE)
        upright(bitmap, open(uri) { orientation(it) })
    } catch (error: IOException) {
        throw PhotoFailed("The photo cannot be read (${error.message}); choose it again.", error)
    } catch (error: SecurityException) {
        throw PhotoFailed("The phone does not let this app read that photo; choose it again.", error)
    }

    private fun <T> open(uri: Uri, read: (InputStream) -> T): T {
        val stream = context.contentResolver.openInputStream(uri) ?: throw IOException("it is gone")
        return stream.use(read)
    }

    private fun sampleSize(width: Int, height: Int): Int {
        if (width <= 0 || height <= 0) throw PhotoFailed(NO_PICTURE)
        var size = 1
        while ((width / size).toLong() * (height / size) > MAX_PIXELS) size *= 2
        return size
    }

    private fun orientation(stream: InputStream): Matrix = Matrix().apply {
        when (ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)) {
            ExifInterface.ORIENTATION_ROTATE_90 -> postRotate(90f)
            ExifInterface.ORIENTATION_ROTATE_180 -> postRotate(180f)
            ExifInterface.ORIENTATION_ROTATE_270 -> postRotate(270f)
            ExifInterface.ORIENTATION_FLIP_HORIZONTAL -> postScale(-1f, 1f)
        }
    }

    private fun upright(bitmap: Bitmap, matrix: Matrix): Bitmap =
        if (matrix.isIdentity) bitmap else Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, matrix, true)

    companion object {
        private const val MAX_PIXELS = 2_000_000L
        private const val NO_PICTURE = "This file is no picture; choose another."

        fun pixels(bitmap: Bitmap): Pixels {
            val argb = IntArray(bitmap.width * bitmap.height)
            bitmap.getPixels(argb, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
            return Pixels(bitmap.width, bitmap.height, argb)
        }

        fun bitmap(pixels: Pixels): Bitmap = Bitmap.createBitmap(pixels.argb, pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
    }
}
