package org.pripro.splitkit.answer

import org.pripro.splitkit.photo.Pixels

/** A segmentation as a picture: one colour for each class, class 0 black. */
public object MaskPicture {
    public fun draw(mask: Reading.Segments): Pixels = Pixels(mask.width, mask.height, IntArray(mask.classes.size) { colour(mask.classes[it]) })

    /**
     * 0xAARRGGBB of a class: its bits, lowest first, become the highest bits of red, green and blue in turn, so that neighbours differ.
     *
     * Source: the colour map of PASCAL VOC's development kit.
     */
    public fun colour(index: Int): Int {
        var rgb = 0
        for (turn in 0 until 8) {
            val three = index shr (3 * turn) and 7
            for (channel in 0 until 3) rgb = rgb or ((three shr channel and 1) shl (7 - turn) shl (16 - 8 * channel))
        }
        return 0xff shl 24 or rgb
    }
}
