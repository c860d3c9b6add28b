// A whole third-party app around SplitKit: .package(url: ADDRESS_OF_THIS_REPOSITORY, branch: "main"), SplitKit and SplitKitCoreML.
import SplitKit
import SplitKitCoreML
import SwiftUI
import UIKit

@main
struct SampleApp: App {
    @State private var answer = "..."

    var body: some Scene {
        WindowGroup { Text(answer).task { answer = await ask() } }
    }

    private func ask() async -> String {
        do {
            guard let photo = UIImage(named: "photo")?.cgImage else { return "There is no photo in this app." }
            let bundle = try ModelBundle(at: Foundation.Bundle.main.bundleURL.appendingPathComponent("bundle"))
            let client = try SplitClient(bundle: bundle, tail: "https://tail.example.org", runtimes: [.coreML()])
            return try await client.classify(photo).reading.lines.joined(separator: "\n")
        } catch {
            return error.localizedDescription
        }
    }
}
