package org.pripro.demo.ui

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/**
 * The few files that other apps may touch, and only those to whom an intent grants it: the camera writes its photo here,
 * a mail or file app reads a report. (androidx's FileProvider does the same; this app keeps to the framework.)
 */
class SharedFiles : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        val name = nameOf(uri)
        if (mode != "r" && name != PHOTO) throw FileNotFoundException("$name is for reading only")
        return ParcelFileDescriptor.open(file(requireNotNull(context), name), ParcelFileDescriptor.parseMode(mode))
    }

    override fun getType(uri: Uri): String = if (nameOf(uri) == PHOTO) "image/jpeg" else "application/json"

    override fun query(uri: Uri, projection: Array<String>?, selection: String?, args: Array<String>?, order: String?): Cursor {
        val columns = projection ?: arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        val file = file(requireNotNull(context), nameOf(uri))
        val row = columns.map { column ->
            when (column) {
                OpenableColumns.DISPLAY_NAME -> file.name
                OpenableColumns.SIZE -> file.length()
                else -> null
            }
        }
        return MatrixCursor(columns, 1).apply { addRow(row) }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, selection: String?, args: Array<String>?): Int = 0

    override fun update(uri: Uri, values: ContentValues?, selection: String?, args: Array<String>?): Int = 0

    companion object {
        const val PHOTO = "photo.jpg"
        private val NAME = Regex("[A-Za-z0-9][A-Za-z0-9._-]*")

        /** Under the authority that the manifest gives this app, whatever its applicationId is. */
        fun uri(context: Context, name: String): Uri = Uri.parse("content://${context.packageName}.shared/$name")

        /** In the cache: the system may remove it when space runs out. */
        fun file(context: Context, name: String): File = File(File(context.cacheDir, "shared").apply { mkdirs() }, name)

        private fun nameOf(uri: Uri): String {
            val name = uri.pathSegments.singleOrNull()
            if (name == null || !NAME.matches(name)) throw FileNotFoundException("there is no such file")
            return name
        }
    }
}
