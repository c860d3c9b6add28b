package org.pripro.splitkit.android

import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.media.ExifInterface
import android.net.Uri
import org.pripro.splitkit.PhotoFailed
import org.pripro.splitkit.photo.Orientation
import org.pripro.splitkit.photo.Photo
import java.io.IOException
import java.io.InputStream

/** A photo for the head, every pixel of it, and a small upright picture of it for the screen. */
public class ReadPhoto(public val photo: Photo, public val preview: Bitmap)

/** Photos from the camera or the gallery. */
public class PhotoReader(private val context: Context) {
    /**
     * Decodes a photo at its full size: the head's input is that of Pillow on the whole photo, and a decoder that skips pixels
     * on the way gives a different one.
     *
     * @throws PhotoFailed the photo is gone, not readable by this app, or not a picture.
     */
    public fun read(uri: Uri): ReadPhoto = try {
        val bitmap = open(uri) { BitmapFactory.decodeStream(it) } ?: throw PhotoFailed(NO_PICTURE)
        val orientation = open(uri) { Orientation.of(ExifInterface(it).getAttributeInt(ExifInterface.TAG_ORIENTATION, 1)) }
        ReadPhoto(BitmapPhoto(bitmap, orientation), preview(bitmap, orientation))
    } catch (error: IOException) {
        throw PhotoFailed("The photo cannot be read (${error.message}); choose it again.", error)
    } catch (error: SecurityException) {
        throw PhotoFailed("The phone does not let this app read that photo; choose it again.", error)
    }

    private fun <T> open(uri: Uri, read: (InputStream) -> T): T {
        val stream = context.contentResolver.openInputStream(uri) ?: throw IOException("it is gone")
        return stream.use(read)
    }

    private fun preview(bitmap: Bitmap, orientation: Orientation): Bitmap {
        val scale = minOf(1f, PREVIEW / maxOf(bitmap.width, bitmap.height))
        val matrix = matrix(orientation).apply { postScale(scale, scale) }
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, matrix, true)
    }

    internal companion object {
        const val PREVIEW = 1024f
        const val NO_PICTURE = "This file is no picture; choose another."

        /** The same turn for a picture that is only looked at. */
        fun matrix(orientation: Orientation): Matrix = Matrix().apply {
            when (orientation) {
                Orientation.UPRIGHT -> Unit
                Orientation.FLIPPED -> postScale(-1f, 1f)
                Orientation.ROTATED_180 -> postRotate(180f)
                Orientation.FLIPPED_VERTICALLY -> postScale(1f, -1f)
                Orientation.TRANSPOSED -> {
                    postRotate(90f)
                    postScale(-1f, 1f)
                }
                Orientation.ROTATED_90 -> postRotate(90f)
                Orientation.TRANSVERSED -> {
                    postRotate(90f)
                    postScale(1f, -1f)
                }
                Orientation.ROTATED_270 -> postRotate(270f)
            }
        }
    }
}
