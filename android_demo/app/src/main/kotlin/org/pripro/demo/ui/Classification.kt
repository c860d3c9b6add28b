package org.pripro.demo.ui

import android.graphics.Bitmap
import android.net.Uri
import org.pripro.demo.bundle.TensorSpec
import org.pripro.demo.photo.Preprocessor
import org.pripro.demo.photo.SmashedPicture
import org.pripro.demo.tail.Answer
import org.pripro.demo.tail.TailAnswer

/** One photo's way through head and tail, as far as it came. */
class Classified(
    val photo: Bitmap,
    val leaves: Bitmap? = null,
    val headMs: Double? = null,
    val bytes: Int? = null,
    val answer: TailAnswer? = null,
    val top: List<Answer.Ranked> = emptyList(),
)

/** photo -> head with fresh noise -> what leaves the phone -> tail -> answer. This is the part to copy. */
class Classification(private val session: Session, private val photos: PhotoReader) {
    /** @param show called with each step's result as soon as it is there. */
    fun run(uri: Uri, show: (Classified) -> Unit): Classified {
        val photo = photos.read(uri)
        show(Classified(photo))

        val image = Preprocessor(session.bundle.manifest.preprocess).apply(PhotoReader.pixels(photo))
        val (head, runner) = session.chosen()
        val start = System.nanoTime()
        val smashed = try {
            runner.run(image, session.noise?.draw())
        } finally {
            session.noise?.forget()
        }
        val headMs = (System.nanoTime() - start) / 1e6
        val leaves = PhotoReader.bitmap(SmashedPicture.draw(smashed, head.outputs.single()))
        val encoding: TensorSpec = session.encoding()
        val bytes = encoding.values * if (encoding.dtype == "uint8") 1 else 4
        show(Classified(photo, leaves, headMs, bytes))

        val answer = session.tailClient()?.infer(smashed, encoding)
        val top = answer?.let { Answer.top(it.logits, session.bundle.manifest.labels, count = 5) } ?: emptyList()
        return Classified(photo, leaves, headMs, bytes, answer, top)
    }
}
