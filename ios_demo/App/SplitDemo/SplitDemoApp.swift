import SwiftUI

@main
struct SplitDemoApp: App {
    @State private var session = Session()

    var body: some Scene {
        WindowGroup {
            TabView {
                ClassifyView().tabItem { Label("Classify", systemImage: "camera") }
                LiveView().tabItem { Label("Live", systemImage: "video") }
                BenchmarkView().tabItem { Label("Benchmark", systemImage: "stopwatch") }
                ParityView().tabItem { Label("Parity", systemImage: "equal.circle") }
                SettingsView().tabItem { Label("Settings", systemImage: "gearshape") }
            }
            .environment(session)
        }
    }
}
