# frozen_string_literal: true

require "fileutils"

# A place where a request waits until the test opens it, so that no test has to guess how long anything takes.
module Gate
  DIRECTORY = File.expand_path("../tmp", __dir__)
  PATIENCE = 60

  # Notes in `tmp/at-gate-KEY` which process waits, then waits for `tmp/gate-KEY`.
  def self.wait(key)
    FileUtils.mkdir_p(DIRECTORY)
    File.write(File.join(DIRECTORY, "at-gate-#{key}"), Process.pid.to_s)
    deadline = now + PATIENCE
    until File.exist?(File.join(DIRECTORY, "gate-#{key}"))
      raise "gate #{key} was never opened" if now > deadline

      sleep 0.002
    end
  end

  def self.now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
