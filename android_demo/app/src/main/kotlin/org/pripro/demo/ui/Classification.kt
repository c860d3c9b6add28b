package org.pripro.demo.ui

import android.graphics.Bitmap
import android.net.Uri
import org.pripro.splitkit.Classified
import org.pripro.splitkit.Protected
import org.pripro.splitkit.android.BitmapPhoto
import org.pripro.splitkit.android.PhotoReader
import org.pripro.splitkit.answer.MaskPicture
import org.pripro.splitkit.answer.Reading
import org.pripro.splitkit.photo.SmashedPicture

/** One photo's way through head and tail, as far as it came. */
class Shown(
    val photo: Bitmap,
    val leaves: Bitmap? = null,
    val features: Protected? = null,
    val answer: Classified? = null,
    /** Of an embedding, its cosine with that of the photo before. */
    val likeBefore: Double? = null,
) {
    /** Of a segmentation, what is where. */
    val mask: Bitmap? by lazy { (answer?.reading as? Reading.Segments)?.let { BitmapPhoto.bitmap(MaskPicture.draw(it)) } }
}

/** photo -> head with its noise -> what leaves the phone -> tail -> answer, each step shown. */
class Classification(private val session: Session, private val photos: PhotoReader, private val asks: Boolean, private val before: Reading.Embedding?) {
    /** @param show called with each step's result as soon as it is there. */
    fun run(uri: Uri, show: (Shown) -> Unit): Shown {
        val photo = photos.read(uri)
        show(Shown(photo.preview))
        val client = session.client()
        val features = client.protect(photo.photo)
        val leaves = BitmapPhoto.bitmap(SmashedPicture.draw(features.smashed, features.head.outputs.single()))
        val half = Shown(photo.preview, leaves, features)
        show(half)
        if (!asks) return half
        val answer = client.ask(features)
        val now = answer.reading as? Reading.Embedding
        val like = if (now != null && before?.unit?.size == now.unit.size) now.cosine(before) else null
        return Shown(photo.preview, leaves, features, answer, like)
    }
}
