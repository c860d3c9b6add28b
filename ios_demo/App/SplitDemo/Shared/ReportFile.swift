import Foundation
import SplitKit

/// Where reports go: the app's documents, which the Files app and a Mac's Finder show.
enum ReportFile {
    static func write(_ report: some Record, name: String) throws -> URL {
        let folder = FileManager.default.urls(for: .documentDirectory, in: .userDomainMask)[0]
        let stamp = String.nowUTC.filter { $0 != "-" && $0 != ":" }
        let url = folder.appendingPathComponent("\(name)-\(stamp).json")
        try Report.write(report, to: url)
        return url
    }
}
