package org.pripro.splitkit.android

import android.content.Context
import android.graphics.Bitmap
import org.pripro.splitkit.Classified
import org.pripro.splitkit.SplitClient
import org.pripro.splitkit.SplitOptions
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.head.Runtimes
import org.pripro.splitkit.photo.Orientation
import org.pripro.splitkit.tail.OwnAuthority
import java.io.File
import java.io.FileNotFoundException
import javax.net.ssl.SSLSocketFactory

/** A bundle in an app's assets, and the private folder where its heads may lie; neither is backed up. */
public class AndroidBundle(private val context: Context, private val assets: String = "bundle") {
    public val bundle: Bundle by lazy { Bundle.open { path -> context.assets.open("$assets/$path") } }
    public val folder: File get() = context.noBackupFilesDir

    /** The certificate authority in the assets, or null where there is none. */
    public fun authority(name: String = "tail_ca.pem"): SSLSocketFactory? = try {
        context.assets.open(name).use(OwnAuthority::trusting)
    } catch (_: FileNotFoundException) {
        null
    }
}

/**
 * A client for a bundle in the assets:
 *
 *     val client = SplitClient(AndroidBundle(context), "https://tail.example.org")
 *     val answer = client.classify(bitmap)
 *
 * @throws org.pripro.splitkit.SplitKitException one sentence for the screen.
 */
public fun SplitClient(
    bundle: AndroidBundle,
    tailUrl: String?,
    options: SplitOptions = SplitOptions(trust = bundle.authority(), secret = KeystoreSecret()),
    runtimes: Runtimes = Runtimes(),
): SplitClient = SplitClient(bundle.bundle, tailUrl, bundle.folder, options, runtimes)

/**
 * The whole way of one photo. Blocking: call it off the main thread.
 *
 * @throws org.pripro.splitkit.SplitKitException one sentence for the screen.
 */
public fun SplitClient.classify(bitmap: Bitmap, orientation: Orientation = Orientation.UPRIGHT): Classified = classify(BitmapPhoto(bitmap, orientation))
