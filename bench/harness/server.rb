# frozen_string_literal: true

require "fileutils"
require "net/http"
require "socket"
require "tmpdir"

module Bench
  # One running server under test: start, wait until it answers, stop with everything it started.
  class Server
    BOOT_SECONDS = 60
    STOP_SECONDS = 10

    # It cannot be measured. +reason+ is short; the message goes on with the end of the server's log.
    class Failed < StandardError
      attr_reader :reason

      def initialize(name, reason, log)
        @reason = reason
        super("#{name} #{reason}:\n#{log}")
      end
    end

    attr_reader :port, :pid

    # Starts +command+ for the app in +dir+, yields the Server once it answers, and stops it.
    def self.run(command, dir)
      server = new(command, dir)
      server.start
      yield server
    ensure
      server&.stop
    end

    def initialize(command, dir)
      @command = command
      @dir = dir
      @port = Addrinfo.tcp("127.0.0.1", 0).bind { |socket| socket.local_address.ip_port }
      @scratch = Dir.mktmpdir("passenger-bench")
    end

    def start
      @pid = Process.spawn(@command.environment, *@command.arguments.call(dir: @dir, port:, scratch: @scratch),
                           chdir: @dir, pgroup: true, in: File::NULL, out: log, err: %i[child out])
      deadline = now + BOOT_SECONDS
      until answer
        failed("ended before it answered") if pids.empty?
        failed("did not answer for #{BOOT_SECONDS} seconds") if now > deadline

        sleep 0.05
      end
    end

    # The body of one GET / when its status is 200, else nil.
    def answer
      response = Net::HTTP.get_response(URI(url))
      response.body if response.code == "200"
    rescue SystemCallError, EOFError
      nil
    end

    # Raises Failed unless it answers exactly +body+.
    def verify(body)
      failed("answers something else than it should") unless answer == body
    end

    # Raises Failed with the end of the server's log.
    def failed(reason)
      raise Failed.new(@command.name, reason, log_tail)
    end

    def url = "http://127.0.0.1:#{port}/"
    def pids = Processes.descendants

    # Asks the server to end (what it left to the subreaper as well), and kills what is still there after STOP_SECONDS.
    def stop
      signal("TERM", Processes.children)
      deadline = now + STOP_SECONDS
      sleep 0.05 until pids.empty? || now > deadline
      sleep 0.05 until signal("KILL", pids).empty?
    ensure
      FileUtils.remove_entry(@scratch)
    end

    private

    def signal(name, pids)
      pids.each do |pid|
        Process.kill(name, pid)
      rescue Errno::ESRCH
        nil
      end
    end

    def log = File.join(@scratch, "log")
    def log_tail = File.exist?(log) ? File.readlines(log).last(20).join : ""
    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
