// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {World} from "tests/invariant/World.sol";

/// @notice One handler per actor. Each of its actions does what it says in every call.
abstract contract Handler {
    World internal immutable WORLD;

    constructor(World world) {
        WORLD = world;
    }

    modifier counted() {
        WORLD.begin(msg.sig);
        _;
        WORLD.done(msg.sig);
    }
}

contract ProviderHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(ProviderHandler.deposit.selector, "provider deposits");
        world.enroll(ProviderHandler.bumpCounter.selector, "provider voids offers");
    }

    function deposit(uint256 seed) external counted {
        WORLD.deposit(seed);
    }

    function bumpCounter(uint256 seed) external counted {
        WORLD.bumpCounter(seed);
    }
}

contract RenterHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(RenterHandler.rent.selector, "renter rents");
        world.enroll(RenterHandler.transfer.selector, "renter transfers a lease");
    }

    function rent(uint256 seed) external counted {
        WORLD.rent(seed);
    }

    function transfer(uint256 seed) external counted {
        WORLD.transfer(seed);
    }
}

contract CommitteeHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(CommitteeHandler.credit.selector, "committee credits");
        world.enroll(CommitteeHandler.creditBadly.selector, "committee errs");
        world.enroll(CommitteeHandler.sayLast.selector, "committee says last");
    }

    function credit(uint256 seed) external counted {
        WORLD.credit(seed);
    }

    function creditBadly(uint256 seed) external counted {
        WORLD.creditBadly(seed);
    }

    function sayLast(uint256 seed) external counted {
        WORLD.sayLast(seed);
    }
}

/// @notice What anybody may do, and what nobody may.
contract StrangerHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(StrangerHandler.collect.selector, "anybody collects");
        world.enroll(StrangerHandler.settle.selector, "anybody settles");
        world.enroll(StrangerHandler.withdraw.selector, "creditor withdraws");
        world.enroll(StrangerHandler.pushWithdrawal.selector, "anybody pushes a payout");
        world.enroll(StrangerHandler.donate.selector, "stranger donates");
        world.enroll(StrangerHandler.intrude.selector, "stranger intrudes");
    }

    function collect(uint256 seed) external counted {
        WORLD.collect(seed);
    }

    function settle(uint256 seed) external counted {
        WORLD.settle(seed);
    }

    function withdraw(uint256 seed) external counted {
        WORLD.withdraw(seed);
    }

    function pushWithdrawal(uint256 seed) external counted {
        WORLD.pushWithdrawal(seed);
    }

    function donate(uint256 seed) external counted {
        WORLD.donate(seed);
    }

    function intrude(uint256 seed) external counted {
        WORLD.intrude(seed);
    }
}

contract TimeHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(TimeHandler.pass.selector, "time passes");
    }

    function pass(uint256 seed) external counted {
        WORLD.passTime(seed);
    }
}

contract GovernorHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(GovernorHandler.freeze.selector, "governor closes everything");
    }

    function freeze(uint256 seed) external counted {
        WORLD.freeze(seed);
    }
}
