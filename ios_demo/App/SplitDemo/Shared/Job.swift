import Observation
import SwiftUI

/// One thing that a screen does: it can be stopped, and what goes wrong becomes a sentence, never a crash.
@MainActor
@Observable
final class Job {
    private(set) var isRunning = false
    var error: String?
    private var task: Task<Void, Never>?

    func start(_ work: @escaping @MainActor () async throws -> Void) {
        guard !isRunning else { return }
        isRunning = true
        error = nil
        task = Task {
            do {
                try await work()
            } catch is CancellationError {
            } catch {
                self.error = error.localizedDescription
            }
            isRunning = false
        }
    }

    func stop() { task?.cancel() }
}

/// A button that starts a job, or stops it while it runs.
struct JobButton: View {
    let title: String
    let job: Job
    let work: @MainActor () async throws -> Void

    var body: some View {
        Button(job.isRunning ? "Stop" : title) {
            if job.isRunning { job.stop() } else { job.start(work) }
        }
        .buttonStyle(.borderedProminent)
        if let error = job.error { Text(error).foregroundStyle(.red) }
    }
}
