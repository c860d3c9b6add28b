package org.pripro.demo.ui

import android.content.ClipData
import android.content.Context
import android.content.Intent
import org.pripro.splitkit.SplitKitException
import java.io.File
import java.io.IOException

/** Reports on the phone: where adb pull finds them, and how another app gets one. */
class ReportFiles(private val context: Context) {
    /**
     * Writes to a temporary file, then renames: whoever waits for the file never sees half of it.
     *
     * @param name letters, digits, '.', '_' and '-'.
     * @return /sdcard/Android/data/APPLICATION_ID/files/reports/NAME, or the app's own folder without such storage.
     */
    fun write(name: String, text: String): File {
        val target = File(folder(), name)
        val aside = File(target.path + ".new")
        try {
            aside.writeText(text)
            if (!aside.renameTo(target)) throw IOException("it cannot be renamed")
        } catch (error: IOException) {
            throw SplitKitException("$target cannot be written (${error.message}); free some space and try again.", error)
        }
        return target
    }

    fun delete(name: String) {
        File(folder(), name).delete()
    }

    /** An intent that hands a copy of a report to an app that the person chooses. */
    fun share(report: File): Intent {
        report.copyTo(SharedFiles.file(context, report.name), overwrite = true)
        val uri = SharedFiles.uri(context, report.name)
        val send = Intent(Intent.ACTION_SEND).setType("application/json").putExtra(Intent.EXTRA_STREAM, uri)
        send.clipData = ClipData.newRawUri(report.name, uri)
        return Intent.createChooser(send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION), report.name)
    }

    private fun folder(): File = (context.getExternalFilesDir("reports") ?: File(context.filesDir, "reports")).apply { mkdirs() }
}
