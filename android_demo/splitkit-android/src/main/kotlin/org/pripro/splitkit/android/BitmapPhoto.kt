package org.pripro.splitkit.android

import android.graphics.Bitmap
import org.pripro.splitkit.photo.Orientation
import org.pripro.splitkit.photo.Photo
import org.pripro.splitkit.photo.Pixels

/** A bitmap as a photo, turned upright as its rows are read; neither copied nor made smaller. */
public class BitmapPhoto(private val bitmap: Bitmap, private val orientation: Orientation = Orientation.UPRIGHT) : Photo {
    override val width: Int = orientation.width(bitmap.width, bitmap.height)
    override val height: Int = orientation.height(bitmap.width, bitmap.height)
    private val stored = IntArray(width)

    override fun row(y: Int, into: IntArray) {
        // an upright row is one row or one column of the stored picture, forwards or backwards
        val x0 = orientation.storedX(0, y, bitmap.width)
        val y0 = orientation.storedY(0, y, bitmap.height)
        val backwards = orientation.storedX(width - 1, y, bitmap.width) < x0 || orientation.storedY(width - 1, y, bitmap.height) < y0
        if (orientation.turnsRows) {
            bitmap.getPixels(stored, 0, 1, x0, 0, 1, width)
        } else {
            bitmap.getPixels(stored, 0, width, 0, y0, width, 1)
        }
        for (x in 0 until width) into[x] = stored[if (backwards) width - 1 - x else x]
    }

    public companion object {
        /** A picture made here, such as what leaves the phone. */
        public fun bitmap(pixels: Pixels): Bitmap = Bitmap.createBitmap(pixels.argb, pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
    }
}
