package org.pripro.splitkit

import org.pripro.splitkit.answer.Output
import org.pripro.splitkit.answer.Reading
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.HeadFiles
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.Runtimes
import org.pripro.splitkit.noise.DeviceSecret
import org.pripro.splitkit.noise.EpsSource
import org.pripro.splitkit.photo.Photo
import org.pripro.splitkit.photo.Preprocessor
import org.pripro.splitkit.tail.Answer
import org.pripro.splitkit.tail.CodedEncoding
import org.pripro.splitkit.tail.Patience
import org.pripro.splitkit.tail.TailAddress
import org.pripro.splitkit.tail.TailAnswer
import org.pripro.splitkit.tail.TailClient
import org.pripro.splitkit.tail.Wire
import java.io.Closeable
import java.io.File
import javax.net.ssl.SSLSocketFactory

/**
 * What an app may choose; everything has a default that works.
 *
 * @param head a head's title or the beginning of it, such as "executorch fp32"; null takes the preferred runtime's first.
 * @param encoding how features cross: coded (the fewest bytes; of a bundle with a waist), uint8, float16 or float32. Null takes
 *   the first of these that the tail takes.
 * @param secret what memoised noise is drawn with; the Keystore's on Android.
 * @param token bearer token; keep it in memory or in the Keystore.
 * @param cleartextHosts private hosts that may be reached over http; see [TailAddress].
 * @param trust for a tail behind a certificate authority of your own; see [org.pripro.splitkit.tail.OwnAuthority].
 */
public class SplitOptions(
    public val head: String? = null,
    public val headOptions: HeadOptions = HeadOptions(),
    public val encoding: String? = null,
    public val token: String? = null,
    public val cleartextHosts: Set<String> = emptySet(),
    public val trust: SSLSocketFactory? = null,
    public val patience: Patience = Patience(),
    public val secret: DeviceSecret? = null,
)

/** What leaves the phone of one photo: features [c,h,w] under noise. */
public class Protected(public val smashed: FloatArray, public val head: Head, public val headMs: Double)

/**
 * The tail's answer to one photo. [tailMs] is the tail's own share of [roundTripMs], null where it does not say.
 *
 * @param reading what a person reads of it, by the bundle's task.
 * @param outputs every output of the network.
 * @param logits all outputs, one behind the other, as the tail sent them.
 */
public class Classified(
    public val reading: Reading,
    public val outputs: List<Output>,
    public val logits: FloatArray,
    public val headMs: Double,
    public val roundTripMs: Double,
    public val tailMs: Double?,
    public val bytesSent: Int,
) {
    /** The most probable classes, best first; empty where the task is not to classify. */
    public val top: List<Answer.Ranked> get() = (reading as? Reading.Classes)?.ranked ?: emptyList()
}

/**
 * A split network as one thing: photo -> head with noise, here -> features -> tail -> answer.
 *
 * Blocking, so call it off the main thread; calls from several threads wait for one another. The head is opened with the first
 * photo and stays open until [close].
 *
 * @param bundle the bundle whose head runs here.
 * @param tailUrl where its tail listens, such as `https://tail.example.org`; null for a client that only protects.
 * @param folder a private folder of the app's, where the head's file may lie.
 */
public class SplitClient(
    private val bundle: Bundle,
    tailUrl: String?,
    folder: File,
    private val options: SplitOptions = SplitOptions(),
    private val runtimes: Runtimes = Runtimes(),
) : Closeable {
    private val files = HeadFiles(bundle, folder)
    private val preprocessor = Preprocessor(bundle.manifest.preprocess)
    private val noise = EpsSource.of(bundle, options.secret)
    private val tail: TailClient? = tailUrl?.let(::client)
    private var opened: HeadRunner? = null

    /** The head that runs. */
    public val head: Head by lazy {
        val heads = runtimes.heads(bundle)
        options.head?.let { Runtimes.matching(heads, it).first() } ?: heads.first()
    }

    /** What the head really ran on, where its runtime says so; null before the first photo. */
    public val ranOn: String? @Synchronized get() = opened?.ranOn

    /**
     * The whole way of one photo.
     *
     * @throws SplitKitException one sentence for the screen.
     */
    public fun classify(photo: Photo): Classified = ask(protect(photo))

    /**
     * The phone's half of it: what may leave the phone.
     *
     * @throws SplitKitException one sentence for the screen.
     */
    @Synchronized
    public fun protect(photo: Photo): Protected {
        val image = preprocessor.apply(photo)
        val runner = opened ?: runtimes.of(head).open(head, files.install(head), options.headOptions).also { opened = it }
        val start = System.nanoTime()
        val smashed = try {
            runner.run(image, noise?.draw(image))
        } finally {
            noise?.forget()
        }
        val headMs = (System.nanoTime() - start) / 1e6
        return Protected(smashed, head, headMs)
    }

    /**
     * The cloud's half of it.
     *
     * @throws SplitKitException one sentence for the screen.
     */
    public fun ask(features: Protected): Classified {
        val client = tail ?: throw SplitKitException("No tail is set; give its address to get an answer.")
        val answer = send(client, features.smashed)
        val outputs = Output.apart(answer.logits, bundle.manifest.split.outputs)
        return Classified(Reading.of(bundle.manifest, outputs), outputs, answer.logits, features.headMs, answer.roundTripMs, answer.tailMs, answer.bytesSent)
    }

    @Synchronized
    override fun close() {
        opened?.close()
        opened = null
    }

    private fun client(url: String): TailClient {
        val tail = bundle.tail
        if (tail.wireVersion > Wire.VERSION) {
            throw BundleRefused("The tail speaks wire version ${tail.wireVersion}, this app ${Wire.VERSION}; use the app of that pripro.")
        }
        val address = TailAddress.resolve(url, tail.route, options.cleartextHosts)
        val longest = maxOf(TailClient.LONGEST_ANSWER, 4 * bundle.manifest.split.outputs.sumOf { it.values } + HEADER_ROOM)
        return TailClient(address, bundle.manifest.bundleId, options.token, options.trust, options.patience, longest)
    }

    private val coded: CodedEncoding? by lazy { bundle.tail.coding?.let { CodedEncoding(bundle.manifest.smashed, it) } }

    private fun send(client: TailClient, smashed: FloatArray): TailAnswer {
        val offered = bundle.tail.inputs.filter(Wire::speaks)
        val wanted = options.encoding
        if (wanted == null || wanted == "coded") coded?.let { return client.infer(smashed, it) }
        val spec = offered.firstOrNull { it.dtype == wanted } ?: ENCODINGS.firstNotNullOfOrNull { name -> offered.firstOrNull { it.dtype == name } }
        return client.infer(smashed, spec ?: throw BundleRefused("The tail takes no encoding that this app speaks; make the bundle anew."))
    }

    private companion object {
        const val HEADER_ROOM = 64 * 1024
        val ENCODINGS = listOf("uint8", "float16", "float32")
    }
}
