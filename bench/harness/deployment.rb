# frozen_string_literal: true

module Bench
  # Versions of an application, deployed one after the other: each answers with its number.
  class Deployment
    # How often in a row, each time on a new connection, the new version must have answered to be everywhere.
    STEADY = 30
    # How long one may take to be everywhere, in seconds.
    PATIENCE = 30

    def initialize(dir, file)
      @path = File.join(dir, file)
      @original = File.read(@path)
      @number = 0
    end

    # What the version that was deployed last answers; as long as any other.
    def body = format("Version%4d\n", @number)

    # Writes the next version.
    def deploy
      @number += 1
      File.write(@path, @original.sub(/Hello world/, body.chomp))
    end

    # Writes a version that does not start.
    def break_it = File.write(@path, @path.end_with?(".py") ? "raise RuntimeError('broken')\n" : "raise 'broken'\n")

    # Waits until the new version is everywhere; returns how long that took in seconds, nil when it never was.
    def settle(server)
      start = now
      steady = 0
      while now - start < PATIENCE
        steady = server.answer == body ? steady + 1 : 0
        return now - start if steady == STEADY

        sleep 0.01 if steady.zero?
      end
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
