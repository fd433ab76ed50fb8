// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Limits, Oracle, Registration} from "contracts/src/interfaces/LeaseTypes.sol";
import {console2} from "forge-std/console2.sol";
import {DeploymentFile} from "script/DeploymentFile.sol";
import {Settings} from "script/Settings.sol";
import {DateTimeLib} from "solady/utils/DateTimeLib.sol";

interface IToken {
    function symbol() external view returns (string memory);
    function decimals() external view returns (uint8);
}

/// @title The governor's calls
/// @notice One function per decision, named with `--sig`. `HASHLEASE_STEP` says what to do with it:
/// `plan` (the default) prints what it changes, when it can take effect and the calls that a
/// multisig sends; `schedule` announces it; `execute` puts it into effect, two days later;
/// `cancel` withdraws the announcement. Without `--broadcast` each of them sends nothing. The
/// contracts are those of the deployment's file, and an executed call changes what the file
/// expects. `record` changes the file likewise after a multisig sent the call itself. No call
/// touches an open lease.
contract Govern is Settings, DeploymentFile {
    struct Call {
        /// What changes, in words.
        string words;
        bytes data;
        /// Whether the chain is already so.
        bool isDone;
    }

    string private _toml;
    IRegistry private _registry;
    IAccessManager private _manager;

    modifier planned() {
        _toml = _readFile();
        _registry = IRegistry(vm.parseTomlAddress(_toml, ".registry"));
        _manager = IAccessManager(vm.parseTomlAddress(_toml, ".access_manager"));
        _;
    }

    // ---------------------------------------------------------------- decisions

    /// @notice Registers an oracle with the settings `HASHLEASE_ORACLE_*` and lists it.
    function registerOracle(address account) external planned {
        _register(account, false);
    }

    /// @notice Registers an oracle that can void epochs, such as a proof oracle.
    function registerVoidingOracle(address account) external planned {
        _register(account, true);
    }

    function _register(address account, bool voids) private {
        Registration memory r = _registration(voids);
        r.account = account;
        if (account.code.length == 0) _wrong("the oracle", "a contract", vm.toString(account));
        if (r.payee == vm.parseTomlAddress(_toml, ".escrow")) {
            _wrong("HASHLEASE_ORACLE_PAYEE", "an account outside of the deployment", vm.toString(r.payee));
        }
        _tellProblems();
        uint32 id = _idOf(account);
        require(id == 0 || _records(), string.concat("it is registered as oracle ", vm.toString(id), ", for good"));
        Call memory c;
        c.words =
            string.concat(_words(r), ". It can never be changed or removed, and admits leases once limits are set");
        c.data = abi.encodeCall(IRegistry.registerOracle, (r));
        Oracle memory asked = _listed(r);
        if (id != 0) asked.listed = _registry.oracle(id).listed;
        c.isDone = id != 0 && _isSame(_registry.oracle(id), asked);
        if (!_take(c)) return;
        Expected memory e = _readExpected(_toml);
        _setOracle(e, _idOf(account), asked);
        _keep(e);
    }

    /// @notice Lets new leases pin an oracle, or stops that.
    function listOracle(uint32 id, bool listed) external planned {
        Oracle memory o = _registry.oracle(id);
        require(o.account != address(0), string.concat("no oracle has the id ", vm.toString(id)));
        Call memory c;
        c.words = string.concat(
            listed ? "New leases may pin" : "New leases may no longer pin",
            " oracle ",
            vm.toString(id),
            ", ",
            vm.toString(o.account)
        );
        c.data = abi.encodeCall(IRegistry.listOracle, (id, listed));
        c.isDone = o.listed == listed;
        if (!_take(c)) return;
        Expected memory e = _readExpected(_toml);
        o.listed = listed;
        _setOracle(e, id, o);
        _keep(e);
    }

    /// @notice Lets new leases use a token, or stops that.
    function listToken(address token, bool listed) external planned {
        require(!listed || token.code.length != 0, string.concat("no contract at ", vm.toString(token)));
        Call memory c;
        c.words = string.concat(
            listed ? "New leases may be paid in " : "New leases may no longer be paid in ", _named(token)
        );
        c.data = abi.encodeCall(IRegistry.listToken, (token, listed));
        c.isDone = _registry.isTokenListed(token) == listed;
        if (!_take(c)) return;
        Expected memory e = _readExpected(_toml);
        _setToken(e, token, listed);
        _keep(e);
    }

    /// @notice Sets the exposure cap and the least payment of one oracle's leases in one token, base
    /// units.
    function setLimits(uint32 oracle, address token, uint128 exposureCap, uint128 leastPayment) external planned {
        require(_registry.oracle(oracle).account != address(0), "no oracle has that id");
        require(leastPayment <= exposureCap, "no lease could be rented: the least payment is above the cap");
        Limits memory limits = Limits(exposureCap, leastPayment);
        Limits memory now_ = _registry.limits(oracle, token);
        Call memory c;
        c.words = string.concat(
            "Leases of oracle ",
            vm.toString(oracle),
            " in ",
            _named(token),
            " may hold ",
            _shift(token, now_.exposureCap, exposureCap),
            ", and a new one pays at least ",
            _shift(token, now_.leastPayment, leastPayment)
        );
        c.data = abi.encodeCall(IRegistry.setLimits, (oracle, token, limits));
        c.isDone = now_.exposureCap == exposureCap && now_.leastPayment == leastPayment;
        if (!_take(c)) return;
        Expected memory e = _readExpected(_toml);
        _setLimits(e, oracle, token, limits);
        _keep(e);
    }

    /// @notice Stops renting for three days. The guardian's, and at once: there is nothing to
    /// schedule.
    function pause() external planned {
        Call memory c;
        c.words = "Nobody can rent for three days from then on";
        c.data = abi.encodeCall(IRegistry.pause, ());
        _take(c);
    }

    /// @notice Ends a pause early.
    function unpause() external planned {
        Call memory c;
        uint40 until = _registry.pausedUntil();
        c.words = string.concat("Renting is possible again, before ", _date(until));
        c.data = abi.encodeCall(IRegistry.unpause, ());
        c.isDone = until <= block.timestamp;
        _take(c);
    }

    /// @notice Sets who receives tokens that the escrow owes nobody.
    function setTreasury(address treasury) external planned {
        Call memory c;
        c.words = string.concat(
            "Surplus goes to ", vm.toString(treasury), ", no longer to ", vm.toString(_registry.treasury())
        );
        c.data = abi.encodeCall(IRegistry.setTreasury, (treasury));
        c.isDone = _registry.treasury() == treasury;
        if (!_take(c)) return;
        Expected memory e = _readExpected(_toml);
        e.treasury = treasury;
        _keep(e);
    }

    /// @notice Sets the wrapped native currency, once and for good.
    function setWrappedNative(address token) external planned {
        require(token.code.length != 0, string.concat("no contract at ", vm.toString(token)));
        address now_ = _registry.wrappedNative();
        require(now_ == address(0) || now_ == token, string.concat("it is set for good: ", vm.toString(now_)));
        Call memory c;
        c.words = string.concat("The native currency is wrapped in ", _named(token), ", for good");
        c.data = abi.encodeCall(IRegistry.setWrappedNative, (token));
        c.isDone = now_ == token;
        if (!_take(c)) return;
        Expected memory e = _readExpected(_toml);
        e.wrappedNative = token;
        _keep(e);
    }

    // ---------------------------------------------------------------- steps

    /// @dev Takes the step that the environment names; returns whether the call is in effect now.
    function _take(Call memory c) private returns (bool) {
        bytes4 selector = bytes4(c.data);
        bool isPause = selector == IRegistry.pause.selector;
        address caller = vm.parseTomlAddress(_toml, isPause ? ".expected.guardian" : ".expected.governor");
        console2.log(string.concat(c.words, "."));
        if (_records()) {
            require(c.isDone, "the chain is not so: there is nothing to record");
            console2.log("The chain is so: recorded.");
            return true;
        }
        if (c.isDone) {
            console2.log("The chain is already so: nothing to do.");
            return false;
        }
        (bool isImmediate, uint32 delay) = _manager.canCall(caller, address(_registry), selector);
        require(isImmediate || delay != 0, string.concat(vm.toString(caller), " has no right to this call"));
        uint48 ready = _manager.getSchedule(_manager.hashOperation(caller, address(_registry), c.data));
        _tell(caller, isImmediate, delay, ready);
        string memory step = _text("HASHLEASE_STEP");
        if (_is(step, "") || _is(step, "plan")) {
            _tellCalls(caller, isImmediate, c.data);
            return false;
        }
        require(
            msg.sender == caller,
            string.concat("the sender is ", vm.toString(msg.sender), ": pass --sender ", vm.toString(caller))
        );
        return _step(step, c.data, isImmediate, ready);
    }

    function _step(string memory step, bytes memory data, bool isImmediate, uint48 ready) private returns (bool) {
        if (_is(step, "schedule")) {
            require(!isImmediate, "nothing to schedule: HASHLEASE_STEP=execute does it at once");
            require(ready == 0, "it is scheduled already");
            vm.broadcast();
            _manager.schedule(address(_registry), data, 0);
            console2.log("Scheduled.");
        } else if (_is(step, "execute")) {
            require(isImmediate || ready != 0, "it is not scheduled: HASHLEASE_STEP=schedule comes first");
            require(ready <= block.timestamp, string.concat("too early: wait until ", _date(ready)));
            vm.broadcast();
            _manager.execute(address(_registry), data);
            console2.log("Executed.");
            return true;
        } else if (_is(step, "cancel")) {
            require(ready != 0, "nothing to cancel: it is not scheduled");
            vm.broadcast();
            _manager.cancel(msg.sender, address(_registry), data);
            console2.log("Cancelled.");
        } else {
            revert(string.concat("HASHLEASE_STEP: expected plan, schedule, execute, cancel or record, got ", step));
        }
        return false;
    }

    function _tell(address caller, bool isImmediate, uint32 delay, uint48 ready) private view {
        console2.log(string.concat("Decided by ", vm.toString(caller), "; open leases stay as they are."));
        if (isImmediate) {
            console2.log("It takes effect at once.");
        } else if (ready == 0) {
            string memory hours_ = vm.toString(delay / 1 hours);
            console2.log(string.concat("Not scheduled. It can take effect ", hours_, " hours after it was scheduled."));
        } else {
            string memory end = _date(ready + _manager.expiration());
            console2.log(string.concat("Scheduled. It can take effect from ", _date(ready), " until ", end, "."));
        }
    }

    /// @dev For governors that don't send with forge.
    function _tellCalls(address caller, bool isImmediate, bytes memory data) private view {
        console2.log(string.concat("To send from ", vm.toString(caller), " to ", vm.toString(address(_manager)), ":"));
        if (!isImmediate) {
            bytes memory schedule = abi.encodeCall(IAccessManager.schedule, (address(_registry), data, 0));
            console2.log(string.concat("schedule ", vm.toString(schedule)));
        }
        bytes memory execute = abi.encodeCall(IAccessManager.execute, (address(_registry), data));
        console2.log(string.concat("execute  ", vm.toString(execute)));
    }

    /// @dev The file of a run that sends or records follows the chain.
    function _keep(Expected memory e) private {
        if (_sends() || _records()) _writeExpected(e);
    }

    /// @dev Whether the call was sent in another way, and only the file is behind.
    function _records() private view returns (bool) {
        return _is(_text("HASHLEASE_STEP"), "record");
    }

    function _isSame(Oracle memory a, Oracle memory b) private pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    // ---------------------------------------------------------------- words

    function _words(Registration memory r) private pure returns (string memory) {
        string memory kind = r.voids ? "An oracle that can void epochs is registered: " : "An oracle is registered: ";
        string memory money =
            string.concat(", fee ", vm.toString(r.feeBps), " basis points to ", vm.toString(r.payee), ", least bond ");
        string memory served =
            string.concat(vm.toString(r.minBondBps), " basis points, algorithms ", _names(r.algorithms));
        string memory times = string.concat(
            ", window ", vm.toString(r.window), " s, latest end ", r.latestEnd == 0 ? "none" : _date(r.latestEnd)
        );
        return string.concat(kind, vm.toString(r.account), money, served, times);
    }

    function _idOf(address account) private view returns (uint32) {
        for (uint32 id = _registry.oracleCount(); id > 0; --id) {
            if (_registry.oracle(id).account == account) return id;
        }
        return 0;
    }

    function _named(address token) private view returns (string memory) {
        bytes memory answer = _ask(token, abi.encodeCall(IToken.symbol, ()));
        string memory at = vm.toString(token);
        // a text is an offset, a length and its bytes
        return answer.length < 96 ? at : string.concat(abi.decode(answer, (string)), " (", at, ")");
    }

    /// @dev Empty if the contract has no such function.
    function _ask(address token, bytes memory data) private view returns (bytes memory) {
        (bool done, bytes memory answer) = token.staticcall(data);
        return done ? answer : bytes("");
    }

    function _shift(address token, uint256 before, uint256 after_) private view returns (string memory) {
        return string.concat(_amount(token, after_), " (now ", _amount(token, before), ")");
    }

    /// @dev In whole tokens where the token tells its decimals.
    function _amount(address token, uint256 units) private view returns (string memory) {
        bytes memory answer = _ask(token, abi.encodeCall(IToken.decimals, ()));
        uint256 decimals = answer.length == 32 ? abi.decode(answer, (uint256)) : 31;
        if (decimals > 30) return string.concat(vm.toString(units), " base units");
        uint256 one = 10 ** decimals;
        if (units % one == 0) return vm.toString(units / one);
        bytes memory digits = bytes(vm.toString(one + units % one));
        // the leading one kept the zeros
        digits[0] = ".";
        return string.concat(vm.toString(units / one), string(digits));
    }

    function _date(uint256 time) private pure returns (string memory) {
        (uint256 y, uint256 mo, uint256 d, uint256 h, uint256 mi,) = DateTimeLib.timestampToDateTime(time);
        string memory day = string.concat(vm.toString(y), "-", _two(mo), "-", _two(d));
        return string.concat(day, " ", _two(h), ":", _two(mi), " UTC");
    }

    function _two(uint256 number) private pure returns (string memory) {
        return string.concat(number < 10 ? "0" : "", vm.toString(number));
    }

    function _is(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
