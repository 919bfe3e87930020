# frozen_string_literal: true

require "fileutils"
require "tmpdir"
require_relative "../support/test_helper"

# Tests with real processes, each with an application in a directory of its own.
class ProcessTestCase < PassengerTest
  def setup
    super
    @root = File.realpath(Dir.mktmpdir)
    @children = []
  end

  def teardown
    super
    @children.each(&:stop)
    FileUtils.rm_rf(@root)
  end

  # Writes the application's files.
  def app(files)
    files.each do |name, content|
      path = File.join(@root, name)
      FileUtils.mkdir_p(File.dirname(path))
      File.write(path, content)
    end
  end

  def start(**options)
    Child.new(@root, **options).tap { |child| @children << child }
  end

  def ready_preloader(**options)
    child = start(**options)
    child.load
    child.wait_for("ready")
    child
  end

  # A ready worker that +child+ has forked.
  def spawn(child, **options)
    worker = child.spawn(**options)
    worker.pid = child.wait_for("spawned")[:pid]
    worker.wait_for("ready")
    worker
  end

  # A process that serves directly, with the agent's ends of its data channels.
  def ready_worker(slots: 1, **options)
    child = start(**options.slice(:env))
    pairs = Array.new(slots) { UNIXSocket.pair }
    child.load(slots: pairs.map(&:last), **options.slice(:multithread, :show_errors))
    pairs.each { |_, theirs| theirs.close }
    child.wait_for("ready")
    [child, *pairs.map { |ours, _| AgentEnd.new(ours) }]
  end
end
