package org.pripro.demo.ui

import android.content.Context
import org.pripro.demo.R
import org.pripro.splitkit.SplitClient
import org.pripro.splitkit.SplitOptions
import org.pripro.splitkit.android.AndroidBundle
import org.pripro.splitkit.android.KeystoreSecret
import org.pripro.splitkit.android.SplitClient
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.HeadFiles
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.Runtimes
import org.pripro.splitkit.noise.EpsSource
import org.pripro.splitkit.tail.TailAddress
import org.pripro.splitkit.tail.TailClient

/** The bundle in this app and the client for it, as the settings say. Used on the worker thread only. */
class Session(context: Context, private val settings: Settings) {
    private val source = AndroidBundle(context)
    private val cleartextHosts = context.resources.getStringArray(R.array.cleartext_hosts).toSet()

    /** @throws org.pripro.splitkit.BundleRefused with what a person should do. */
    val bundle: Bundle get() = source.bundle
    val runtimes = Runtimes()
    val heads: List<Head> by lazy { runtimes.heads(bundle) }
    val files by lazy { HeadFiles(bundle, source.folder) }

    private val secret = KeystoreSecret()

    /** The noise of a benchmark: that of a photo. */
    fun noise(): EpsSource? = EpsSource.of(bundle, secret)

    /** The head that the settings name, or the preferred one. */
    fun chosenHead(): Head = if (settings.head.isEmpty()) heads.first() else Runtimes.matching(heads, settings.head).first()

    private var opened: Pair<List<Any>, SplitClient>? = null

    /** The client that Classify uses: one for as long as the settings stay, its head open and its connection kept. */
    fun client(): SplitClient {
        val key = listOf(settings.head, settings.threads, settings.accelerator, settings.url, settings.token, settings.encoding)
        opened?.let { (made, client) -> if (made == key) return client else client.close() }
        opened = null
        return SplitClient(source, settings.url.ifEmpty { null }, options(), runtimes).also { opened = key to it }
    }

    /** The client that the parity replay sends exact features by, or null where no address is set. */
    fun exactTail(): TailClient? {
        if (settings.url.isEmpty()) return null
        val address = TailAddress.resolve(settings.url, bundle.tail.route, cleartextHosts)
        return TailClient(address, bundle.manifest.bundleId, settings.token, source.authority())
    }

    private fun options() = SplitOptions(
        head = settings.head.ifEmpty { null },
        headOptions = HeadOptions(settings.threads, settings.accelerator),
        encoding = settings.encoding.ifEmpty { null },
        token = settings.token.ifEmpty { null },
        cleartextHosts = cleartextHosts,
        trust = source.authority(),
        secret = secret,
    )
}
